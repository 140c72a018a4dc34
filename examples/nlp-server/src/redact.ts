import { createHash } from "node:crypto";
import type { RedactOptions } from "./http/parse.ts";
import { nameOf, type Span } from "./nlp/labels.ts";

export const noRedaction = "WARNING: No entities were detected for redaction.";

/** Replaces the spans of a text as CMS does. The spans must be in text order and not overlap. */
export function redact(text: string, spans: readonly Span[], options: RedactOptions): string {
  if (spans.length === 0 && options.warn) return noRedaction;
  let redacted = "";
  let cursor = 0;
  for (const span of spans) {
    if (options.keep.has(span.label)) continue;
    redacted += text.slice(cursor, span.start) + replacement(text, span, options);
    cursor = span.end;
  }
  return redacted + text.slice(cursor);
}

function replacement(text: string, span: Span, { hash, mask }: RedactOptions): string {
  if (hash) return createHash("sha256").update(text.slice(span.start, span.end)).digest("hex");
  return mask === "" ? `[${nameOf(span.label)}]` : mask;
}
