import { rankOf, type Span } from "./labels.ts";

/**
 * Keeps spans that do not overlap, in text order. The longest wins; of equally long ones the more specific label,
 * then the earlier start. The rule knows nothing of the order in which the spans were found.
 */
export function resolveOverlaps(spans: readonly Span[]): Span[] {
  const byStrength = [...spans].sort(
    (a, b) => b.end - b.start - (a.end - a.start) || rankOf(a.label) - rankOf(b.label) || a.start - b.start,
  );
  const kept: Span[] = [];
  for (const span of byStrength) {
    const at = insertionPoint(kept, span.start);
    const before = kept[at - 1];
    const after = kept[at];
    if (before && before.end > span.start) continue;
    if (after && after.start < span.end) continue;
    kept.splice(at, 0, span);
  }
  return kept;
}

function insertionPoint(sorted: readonly Span[], start: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const span = sorted[middle];
    if (span && span.start < start) low = middle + 1;
    else high = middle;
  }
  return low;
}
