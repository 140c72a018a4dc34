import type { Clock } from "../contracts/clock.ts";
import { type SweepObjectsOptions, type SweepObjectsReport, sweepObjects } from "./sweep-objects.ts";

export interface ObjectSweeperOptions extends Pick<SweepObjectsOptions, "ledger" | "objects"> {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** Between the end of one sweep and the next, give or take a fifth. */
  readonly intervalMs: number;
  readonly onSwept: (report: SweepObjectsReport) => void;
  readonly onError: (error: unknown) => void;
}

/** Soon enough that a process that is started anew every day sweeps too, late enough not to burden its start. */
const FIRST_AFTER_MS = 600_000;

/** Sweeps the object store from time to time. Any number of them may, at once. */
export class ObjectSweeper {
  readonly #options: ObjectSweeperOptions;
  #abort = new AbortController();
  #cancelTimer: (() => void) | undefined;
  #sweeping: Promise<void> | undefined;

  constructor(options: ObjectSweeperOptions) {
    this.#options = options;
  }

  start(): void {
    this.#abort = new AbortController();
    this.#plan(Math.min(FIRST_AFTER_MS, this.#options.intervalMs));
  }

  /** Resolves once nothing is read or deleted any more. */
  async stop(): Promise<void> {
    this.#cancelTimer?.();
    this.#abort.abort();
    await this.#sweeping;
  }

  #plan(delayMs: number): void {
    const { clock, random, intervalMs } = this.#options;
    const { signal } = this.#abort;
    this.#cancelTimer = clock.after(delayMs * (0.8 + 0.4 * random()), () => {
      this.#sweeping = this.#sweep(signal).then(() => {
        if (!signal.aborted) this.#plan(intervalMs);
      });
    });
  }

  async #sweep(signal: AbortSignal): Promise<void> {
    const { ledger, objects, clock, onSwept, onError } = this.#options;
    try {
      onSwept(await sweepObjects({ ledger, objects, clock, signal }));
    } catch (error) {
      if (!signal.aborted) onError(error);
    }
  }
}
