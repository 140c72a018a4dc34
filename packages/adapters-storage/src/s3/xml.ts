// S3's answers are flat lists of a few known elements, so that they are read by name. A parser that guesses types would
// take a key for a number.

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** The content of the first element of this name, as text. */
export function textOf(xml: string, name: string): string | undefined {
  const content = contentsOf(xml, name)[0];
  return content === undefined ? undefined : unescapeXml(content);
}

/** The contents of all elements of this name, as XML. */
export function contentsOf(xml: string, name: string): readonly string[] {
  const found: string[] = [];
  const closing = `</${name}>`;
  for (let at = 0; ; ) {
    const start = xml.indexOf(`<${name}`, at);
    if (start < 0) return found;
    const open = xml.indexOf(">", start);
    const next = xml[start + name.length + 1];
    const isThis = next === ">" || next === "/" || next === " ";
    if (open < 0) return found;
    at = open + 1;
    if (!isThis || xml[open - 1] === "/") continue;
    const end = xml.indexOf(closing, at);
    if (end < 0) return found;
    found.push(xml.slice(at, end));
    at = end + closing.length;
  }
}

export function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function unescapeXml(text: string): string {
  return text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return ENTITIES[name] ?? whole;
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
