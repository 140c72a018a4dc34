import model from "wink-eng-lite-web-model";
import winkNlp, { type ItemEntity, type ItemSentence, type WinkMethods } from "wink-nlp";
import type { Stretch } from "./blocks.ts";
import type { LabelId, Span } from "./labels.ts";

const labels: ReadonlyMap<string, LabelId> = new Map<string, LabelId>([
  ["EMAIL", "EMAIL"],
  ["URL", "URL"],
  ["DATE", "DATE"],
  ["TIME", "TIME"],
  ["DURATION", "DURATION"],
  ["MONEY", "MONEY"],
  ["PERCENT", "PERCENT"],
  ["ORDINAL", "ORDINAL"],
  ["CARDINAL", "CARDINAL"],
]);

/** wink keeps every new word for ever (about 100 bytes each), so a fresh instance is made now and then. */
const charactersPerInstance = 8_000_000;

export interface Reading {
  spans: Span[];
  sentences: Stretch[];
}

/** Finds dates, amounts, addresses and sentence boundaries with wink-nlp. */
export class WinkReader {
  #nlp: WinkMethods = winkNlp(model);
  #characters = 0;

  read(text: string): Reading {
    if (this.#characters > charactersPerInstance) {
      this.#nlp = winkNlp(model);
      this.#characters = 0;
    }
    this.#characters += text.length;
    const { its } = this.#nlp;
    const doc = this.#nlp.readDoc(text);
    const tokens = locate(text, doc.tokens().out(its.value));

    const spans: Span[] = [];
    doc.entities().each((entity: ItemEntity) => {
      const label = labels.get(String(entity.out(its.type)));
      const stretch = stretchOf(tokens, entity.out(its.span));
      if (!label || !stretch) return;
      const since = /^since\s+/i.exec(text.slice(stretch.start, stretch.end))?.[0].length ?? 0;
      if (label === "DURATION" && since > 0) {
        spans.push({ start: stretch.start + since, end: stretch.end, label: "DATE" });
        return;
      }
      // A bare "day" or "weeks" is no duration.
      if (label === "DURATION" && entity.tokens().length() < 2) return;
      spans.push({ ...stretch, label });
    });

    const sentences: Stretch[] = [];
    doc.sentences().each((sentence: ItemSentence) => {
      const stretch = stretchOf(tokens, sentence.out(its.span));
      if (stretch) sentences.push(stretch);
    });
    return { spans, sentences };
  }
}

/**
 * Finds where each token stands. wink reports no offsets and forgets some white space (a byte order mark, U+2028),
 * so that adding up lengths would drift; tokens follow each other with nothing but white space between them.
 */
function locate(text: string, tokens: readonly string[]): Stretch[] {
  const located: Stretch[] = [];
  let cursor = 0;
  for (const token of tokens) {
    const start = text.indexOf(token, cursor);
    if (start === -1) {
      located.push({ start: cursor, end: cursor });
      continue;
    }
    cursor = start + token.length;
    located.push({ start, end: cursor });
  }
  return located;
}

function stretchOf(tokens: readonly Stretch[], span: unknown): Stretch | undefined {
  if (!Array.isArray(span)) return undefined;
  const first = tokens[Number(span[0])];
  const last = tokens[Number(span[1])];
  if (!first || !last || last.end <= first.start) return undefined;
  return { start: first.start, end: last.end };
}
