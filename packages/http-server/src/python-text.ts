/** `names` as Python prints a list of strings; callers of the API it comes from match on that text. */
export function pythonList(names: readonly string[]): string {
  return `[${names.map(pythonString).join(", ")}]`;
}

function pythonString(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text
    .replaceAll("\\", "\\\\")
    .replaceAll("\n", "\\n")
    .replaceAll("\r", "\\r")
    .replaceAll("\t", "\\t");
  return `${quote}${quote === "'" ? escaped.replaceAll("'", "\\'") : escaped}${quote}`;
}

/** An instant as Python's `datetime.isoformat()` prints it in UTC, always with microseconds. */
export function pythonTime(atMs: number): string;
export function pythonTime(atMs: number | undefined): string | null;
export function pythonTime(atMs: number | undefined): string | null {
  return atMs === undefined ? null : new Date(atMs).toISOString().replace("Z", "000+00:00");
}
