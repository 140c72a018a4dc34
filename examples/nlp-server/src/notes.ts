import { readFileSync } from "node:fs";

/** The texts of the notes that ship with the example; the file is beside `src` and beside `dist`. */
export function readNotes(): string[] {
  const file = new URL("../notes/notes.ndjson", import.meta.url);
  return readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { text: string }).text);
}
