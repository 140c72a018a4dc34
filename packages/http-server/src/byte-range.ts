/** Both ends inclusive. */
export interface WholeRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The one range that a `Range` header asks for of `sizeBytes` bytes (RFC 9110, 14.2). `undefined` where the whole is to
 * be given: several ranges, another unit, what cannot be understood, and anything of an empty body.
 */
export function readRange(header: string, sizeBytes: number): WholeRange | "unsatisfiable" | undefined {
  const [, from = "", to = ""] = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(header.trim()) ?? [];
  if ((from === "" && to === "") || sizeBytes === 0) return undefined;
  const last = sizeBytes - 1;
  if (from === "") {
    const length = Number(to);
    return length === 0 ? "unsatisfiable" : { start: Math.max(0, sizeBytes - length), end: last };
  }
  const start = Number(from);
  const end = to === "" ? last : Number(to);
  if (end < start) return to === "" ? "unsatisfiable" : undefined;
  return start > last ? "unsatisfiable" : { start, end: Math.min(end, last) };
}
