/** Longer names than any store takes. */
const LONGEST_NAME = 5000;

/** The condition that a run may have this name; `undefined` when none can. Who finds some compares their names. */
export function nameFilter(name: string): string | undefined {
  if (name === "" || name.length > LONGEST_NAME || !name.isWellFormed() || name.includes("\0"))
    return undefined;
  if (/^[\w .:@/-]+$/.test(name)) return `attributes.run_name = '${name}'`;
  // Its language has no way to write a quotation mark within a text, so that what is rare stands for itself.
  return `attributes.run_name LIKE '${name.replaceAll(/[^\w .:@/-]/gu, "_")}'`;
}

/** The condition that a run began at this instant or later; `undefined` when none can have. */
export function timeFilter(sinceMs: number): string | undefined {
  if (Number.isNaN(sinceMs) || sinceMs > Number.MAX_SAFE_INTEGER) return undefined;
  return `attributes.start_time >= ${Math.max(0, Math.ceil(sinceMs))}`;
}
