/** The rows of a CSV text (RFC 4180), by the names of its first line. */
export function parseCsv(source: string): Record<string, string>[] {
  const [header = [], ...rows] = linesOf(source);
  return rows.map((row) => Object.fromEntries(header.map((name, index) => [name, row[index] ?? ""])));
}

function linesOf(source: string): string[][] {
  const lines: string[][] = [];
  let line: string[] = [];
  // A cell, quoted or bare, and what ends it.
  for (const match of source.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|\n|\r|$)/gy)) {
    const [whole, quoted, bare, end] = match;
    if (whole === "" && line.length === 0) break;
    line.push(quoted?.replaceAll('""', '"') ?? bare ?? "");
    if (end === ",") continue;
    if (line.length > 1 || line[0] !== "") lines.push(line);
    line = [];
    if (end === "") break;
  }
  return lines;
}
