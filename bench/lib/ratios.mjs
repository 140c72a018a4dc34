// Ratios of alternating runs. On a shared machine one figure says little; pairs run side by side say more.
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function percentile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

/**
 * Prints all pairs and the median of their ratios; tells whether the bar is met: at least `bar`, or at most `atMost`
 * where less is better. With neither it is information, and met.
 */
export function report({ name, unit, base, own, pairs, bar, atMost, digits = 0 }) {
  const ratios = pairs.map(([baseValue, ownValue]) => ownValue / baseValue);
  for (const [at, [baseValue, ownValue]] of pairs.entries()) {
    console.log(
      `  pair ${at + 1}: ${base} ${baseValue.toFixed(digits)} ${unit}, ${own} ${ownValue.toFixed(digits)} ${unit}, ratio ${ratios[at].toFixed(3)}`,
    );
  }
  const ratio = median(ratios);
  const spread = `${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)}`;
  const isMet = ratio >= (bar ?? Number.NEGATIVE_INFINITY) && ratio <= (atMost ?? Number.POSITIVE_INFINITY);
  const limit = atMost === undefined ? `bar ${bar}` : `bar at most ${atMost}`;
  const verdict = bar === undefined && atMost === undefined ? "" : ` (${limit}) ${isMet ? "met" : "NOT MET"}`;
  console.log(`${name}: median ratio ${ratio.toFixed(3)}, ${spread}${verdict}`);
  return isMet;
}

/** The exit code of a bench that ran and missed a bar; 1 is left to one that could not run. */
export const MISSED = 2;
