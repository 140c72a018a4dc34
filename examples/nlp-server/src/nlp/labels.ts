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

export function isLabel(id: string): id is LabelId {
  return Object.hasOwn(labelNames, id);
}

/** A found entity. Offsets count UTF-16 units, as JavaScript strings do; `end` is exclusive. */
export interface Span {
  start: number;
  end: number;
  label: LabelId;
}

const order = new Map<string, number>(Object.keys(labelNames).map((label, index) => [label, index]));

/** The place of a label in the table above: of two spans of equal length the more specific, lower one wins. */
export function rankOf(label: LabelId): number {
  return order.get(label) ?? order.size;
}
