import { acceptedOf, annotationsOf, type Document, textOf } from "../exports/trainer-export.ts";
import { type Token, tokensOf, utf16Offsets } from "../learning/tokens.ts";
import type { Span } from "../nlp/labels.ts";

/** A document of an export, as the trainings want it. */
export interface AnnotatedDocument {
  text: string;
  tokens: Token[];
  accepted: AnnotatedSpan[];
  /** What the model had proposed and an annotator refused. */
  refused: Span[];
}

interface AnnotatedSpan extends Span {
  /** By name of the kind of meta annotation. */
  values: [name: string, value: string][];
}

export function readDocument(document: Document): AnnotatedDocument {
  const text = textOf(document);
  const toUnit = utf16Offsets(text);
  const acceptedOnes = new Set(acceptedOf(document).map(keyOf));
  const spans = annotationsOf(document).map((annotation) => ({
    start: toUnit(annotation.start),
    end: toUnit(annotation.end),
    label: annotation.cui,
    values: valuesOf(annotation["meta_anns"]),
    isAccepted: acceptedOnes.has(keyOf(annotation)),
  }));
  const withText = spans.filter(({ start, end }) => text.slice(start, end).trim() !== "");
  return {
    text,
    tokens: tokensOf(text),
    accepted: withText.filter(({ isAccepted }) => isAccepted),
    refused: withText.filter(({ isAccepted }) => !isAccepted),
  };
}

function keyOf({ start, end, cui }: { start: number; end: number; cui: string }): string {
  return `${start}-${end}-${cui}`;
}

/** MedCATtrainer writes an object by name or, in older versions, a list. */
function valuesOf(meta: unknown): [string, string][] {
  if (typeof meta !== "object" || meta === null) return [];
  return Object.entries(meta).flatMap(([key, each]: [string, unknown]) => {
    if (typeof each !== "object" || each === null) return [];
    const { name, value } = each as { name?: unknown; value?: unknown };
    if (typeof value !== "string" && typeof value !== "boolean" && typeof value !== "number") return [];
    return [[typeof name === "string" ? name : key, String(value)]];
  });
}
