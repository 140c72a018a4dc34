import type { Candidate } from "./ngram-model.ts";

export interface Sampling {
  /** 0 always takes the likeliest; above 1 the unlikely gains. */
  temperature: number;
  /** Only the likeliest candidates that together have this share are drawn from. */
  topP: number;
}

/** Draws one of the candidates; `random` gives a number from 0 to 1. There must be at least one. */
export function pick(
  candidates: readonly Candidate[],
  { temperature, topP }: Sampling,
  random: () => number,
): Candidate | undefined {
  const sorted = [...candidates].sort((a, b) => b.probability - a.probability);
  if (temperature === 0) return sorted[0];
  // Divided by the largest, so that a low temperature does not make all of them 0.
  const largest = sorted[0]?.probability ?? 1;
  const weights = sorted.map(({ probability }) => (probability / largest) ** (1 / temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let kept = 0;
  let nucleus = 0;
  while (kept < sorted.length && (kept === 0 || nucleus < topP * total)) {
    nucleus += weights[kept] ?? 0;
    kept += 1;
  }
  let left = random() * nucleus;
  for (let index = 0; index < kept; index += 1) {
    left -= weights[index] ?? 0;
    if (left < 0) return sorted[index];
  }
  return sorted[kept - 1];
}
