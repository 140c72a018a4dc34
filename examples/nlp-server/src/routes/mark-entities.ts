import { nameOf } from "../nlp/labels.ts";
import type { Model } from "./model.ts";

/** The text with `[Label: entity]` in place of each entity. */
export async function markEntities(
  { engine }: Pick<Model, "engine">,
  text: string,
  signal: AbortSignal,
): Promise<{ marked: string; count: number }> {
  const spans = await engine.find(text, signal);
  let marked = "";
  let cursor = 0;
  for (const { start, end, label } of spans) {
    marked += `${text.slice(cursor, start)}[${nameOf(label)}: ${text.slice(start, end)}]`;
    cursor = end;
  }
  return { marked: marked + text.slice(cursor), count: spans.length };
}
