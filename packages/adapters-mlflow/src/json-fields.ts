export type JsonRecord = Readonly<Record<string, unknown>>;

/** MLflow leaves out what is empty. */
export function recordOf(value: unknown): JsonRecord {
  return isRecord(value) ? value : {};
}

export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function recordsOf(value: unknown): readonly JsonRecord[] {
  return Array.isArray(value) ? value.map(recordOf) : [];
}

/** A text that is not empty, which is how MLflow writes that there is none. */
export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** Older servers write 64-bit numbers as texts, and all of them doubles that JSON does not have: `"NaN"`. */
export function numberOf(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value !== "string" || value.trim() === "") return undefined;
  const number = Number(value);
  return Number.isNaN(number) && value !== "NaN" ? undefined : number;
}

/** The list of `{ key, value }` that MLflow keeps metrics, parameters and tags in. */
export function pairsOf<T>(
  value: unknown,
  read: (value: unknown) => T | undefined,
): Readonly<Record<string, T>> {
  const pairs: [string, T][] = [];
  for (const { key, value: each } of recordsOf(value)) {
    const known = read(each);
    if (typeof key === "string" && known !== undefined) pairs.push([key, known]);
  }
  // Not by assignment, which would take a key of the name __proto__ for something else.
  return Object.fromEntries(pairs);
}

/** A text, which may be empty. */
export function anyText(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
