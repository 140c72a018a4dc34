import type { LedgerStats } from "@modelgate/core";

const MOST_PRIORITY = 10;
/** The store's clock, by which ranks are made, may be ahead of this process' by so much. */
const SKEW_MS = 2_000;

/**
 * How long the first of each lane has waited. A rank is when a task was accepted, less its priority times the boost: of
 * the eleven waits that it may stand for, it is the shortest that is not shorter than what was seen of it. A process
 * that began only when a task had waited for longer than a boost may tell some boosts too few.
 */
export class LaneHeads {
  readonly #boostMs: number;
  readonly #seen = new Map<string, { readonly rank: number; readonly sinceMs: number }>();

  constructor(boostMs: number) {
    this.#boostMs = boostMs;
  }

  /** By model; lanes of which nothing is due are left out. */
  waits({ lanes }: Pick<LedgerStats, "lanes">, nowMs: number): readonly (readonly [string, number])[] {
    const waits: (readonly [string, number])[] = [];
    const models = new Set<string>();
    for (const { model, firstRank: rank } of lanes) {
      if (rank === undefined) continue;
      models.add(model);
      const before = this.#seen.get(model);
      const head = before?.rank === rank ? before : { rank, sinceMs: nowMs };
      this.#seen.set(model, head);
      waits.push([model, this.#waitMs(rank, nowMs, nowMs - head.sinceMs)]);
    }
    for (const model of this.#seen.keys()) if (!models.has(model)) this.#seen.delete(model);
    return waits;
  }

  #waitMs(rank: number, nowMs: number, seenMs: number): number {
    for (let priority = MOST_PRIORITY; priority >= 0; priority -= 1) {
      const waitMs = nowMs - rank - priority * this.#boostMs;
      if (waitMs >= seenMs - SKEW_MS) return Math.max(0, waitMs);
    }
    return seenMs;
  }
}
