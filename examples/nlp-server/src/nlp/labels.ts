/** What the server can find, as `label_id` (the key) and `label_name` (the value). */
export const labelNames = {
  EMAIL: "Email",
  URL: "Web Address",
  PHONE: "Phone Number",
  PERSON: "Person",
  ORGANISATION: "Organisation",
  PLACE: "Place",
  DATE: "Date",
  TIME: "Time",
  DURATION: "Duration",
  MONEY: "Money",
  PERCENT: "Percent",
  ORDINAL: "Ordinal Number",
  CARDINAL: "Cardinal Number",
} as const;

export type LabelId = keyof typeof labelNames;

/** The name of a label; one that was learned from annotators has no other than its id. */
export function nameOf(label: string): string {
  return Object.hasOwn(labelNames, label) ? labelNames[label as LabelId] : label;
}

/** What a meta model says of an entity, such as whether it is affirmed. */
export interface MetaAnnotation {
  value: string;
  confidence: number;
  name: string;
}

/** A found entity. Offsets count UTF-16 units, as JavaScript strings do; `end` is exclusive. */
export interface Span {
  start: number;
  end: number;
  /** An id of the table above, or one that was learned. */
  label: string;
  meta?: Record<string, MetaAnnotation>;
}

const order = new Map<string, number>(Object.keys(labelNames).map((label, index) => [label, index]));

/** The place of a label in the table above: of two spans of equal length the more specific, lower one wins. */
export function rankOf(label: string): number {
  return order.get(label) ?? order.size;
}
