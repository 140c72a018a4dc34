/** A word, a number or a single sign of a text. Offsets count UTF-16 units; `end` is exclusive. */
export interface Token {
  start: number;
  end: number;
  text: string;
}

export function tokensOf(text: string): Token[] {
  return Array.from(text.matchAll(/[\p{L}\p{M}\p{N}]+|[^\s\p{L}\p{M}\p{N}]/gu), ({ 0: token, index }) => ({
    start: index,
    end: index + token.length,
    text: token,
  }));
}

/** What a word looks like: `Mary` is `Xx`, `CT` is `X`, `B12` is `Xd`. */
export function shapeOf(word: string): string {
  return word
    .replace(/\p{Lu}+/gu, "X")
    .replace(/\p{Ll}+/gu, "x")
    .replace(/\p{N}+/gu, "d");
}

/** Returns a function from code point offsets, as exports have them, to UTF-16 offsets. */
export function utf16Offsets(text: string): (point: number) => number {
  if (!/[\ud800-\udbff]/.test(text)) return (point) => Math.min(point, text.length);
  const starts: number[] = [];
  let unit = 0;
  for (const point of text) {
    starts.push(unit);
    unit += point.length;
  }
  return (point) => starts[point] ?? text.length;
}
