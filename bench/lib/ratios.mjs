// Ratios of alternating runs. On a shared machine one figure says little; pairs run side by side say more.
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function percentile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

/** Prints all pairs and the median of their ratios; tells whether the bar is met. */
export function report({ name, unit, base, own, pairs, bar }) {
  const ratios = pairs.map(([baseValue, ownValue]) => ownValue / baseValue);
  for (const [at, [baseValue, ownValue]] of pairs.entries()) {
    console.log(
      `  pair ${at + 1}: ${base} ${baseValue.toFixed(0)} ${unit}, ${own} ${ownValue.toFixed(0)} ${unit}, ratio ${ratios[at].toFixed(3)}`,
    );
  }
  const ratio = median(ratios);
  const isMet = ratio >= bar;
  console.log(`${name}: median ratio ${ratio.toFixed(3)} (bar ${bar}) ${isMet ? "met" : "NOT MET"}`);
  return isMet;
}

/** The exit code of a bench that ran and missed a bar; 1 is left to one that could not run. */
export const MISSED = 2;
