/** A stretch of a text, in UTF-16 units; `end` is exclusive. */
export interface Stretch {
  start: number;
  end: number;
}

const longest = 4_000;

/**
 * Cuts a long text into blocks, so that the server can answer others between two of them. A cut is made at the last
 * line break, sentence end or space (in this order of preference) of the second half of a block.
 */
export function* blocksOf(text: string, limit: number = longest): Generator<Stretch> {
  let start = 0;
  while (start < text.length) {
    const end = cutAfter(text, start, limit);
    yield { start, end };
    start = end;
  }
}

function cutAfter(text: string, start: number, limit: number): number {
  const full = start + limit;
  if (full >= text.length) return text.length;
  const half = start + (limit >> 1);
  for (const separator of ["\n", ". ", " "]) {
    const at = text.lastIndexOf(separator, full - separator.length);
    if (at >= half) return at + separator.length;
  }
  const code = text.charCodeAt(full - 1);
  const splitsPair = code >= 0xd800 && code <= 0xdbff;
  return splitsPair ? full - 1 : full;
}

/** Cuts a sentence at its line breaks, and further where a piece is longer than `limit`. */
export function* linesOf(text: string, sentence: Stretch, limit: number): Generator<Stretch> {
  let start = sentence.start;
  while (start < sentence.end) {
    const newline = text.indexOf("\n", start);
    const end = newline === -1 || newline >= sentence.end ? sentence.end : newline + 1;
    for (const piece of blocksOf(text.slice(start, end), limit)) {
      yield { start: start + piece.start, end: start + piece.end };
    }
    start = end;
  }
}
