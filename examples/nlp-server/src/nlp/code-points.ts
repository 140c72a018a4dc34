import { type MetaAnnotation, nameOf, type Span } from "./labels.ts";

/** An entity as CMS sends it. Offsets count Unicode code points; `end` is exclusive. */
export interface Annotation {
  start: number;
  end: number;
  label_name: string;
  label_id: string;
  text: string;
  /** Empty until meta models were trained. */
  meta_anns: Record<string, MetaAnnotation>;
}

/** Turns spans into annotations in one pass over the text. The spans must be in text order and not overlap. */
export function toAnnotations(text: string, spans: readonly Span[]): Annotation[] {
  const toCodePoint = codePointCounter(text);
  return spans.map((span) => ({
    start: toCodePoint(span.start),
    end: toCodePoint(span.end),
    label_name: nameOf(span.label),
    label_id: span.label,
    text: text.slice(span.start, span.end),
    meta_anns: span.meta ?? {},
  }));
}

/** Returns a function from UTF-16 offsets to code point offsets. It must be called with rising offsets. */
function codePointCounter(text: string): (offset: number) => number {
  if (!/[\ud800-\udbff]/.test(text)) return (offset) => offset;
  let unit = 0;
  let point = 0;
  return (offset) => {
    while (unit < offset) {
      // A lone surrogate counts as one, as it does in Python.
      unit += (text.codePointAt(unit) ?? 0) > 0xffff ? 2 : 1;
      point += 1;
    }
    return point;
  };
}
