import { LineCounter, parseDocument } from "yaml";
import { Unusable } from "./unusable.ts";

/** YAML 1.2, of which JSON is a part. The parser's own messages are not passed on: they quote the text. */
export function parseYaml(text: string): unknown {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false, strict: true });
  const [fault] = document.errors;
  if (fault !== undefined) {
    const { line, col } = lineCounter.linePos(fault.pos[0]);
    const what = fault.code === "DUPLICATE_KEY" ? "has a key twice" : "is not YAML";
    throw new Unusable(`${what} (line ${line}, column ${col})`);
  }
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch {
    throw new Unusable("is not YAML that can be used: its aliases lead nowhere, or too far");
  }
}
