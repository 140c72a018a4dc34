/** Outlasts every clock and exceeds every count. */
const FOR_EVER_MS = 2 ** 52;

/** JSON has no infinity and would make `null` of it, which counts as 0: a retention for ever would forget at once. */
export function finite(value: number): number {
  return Number.isNaN(value) ? 0 : Math.max(-FOR_EVER_MS, Math.min(value, FOR_EVER_MS));
}
