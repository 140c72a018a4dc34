import { type Checkpoint, noCheckpoint } from "../checkpoint.ts";
import type { Clock } from "../contracts/clock.ts";
import type { FailingLane, Ledger, SweepReply, SweepRequest } from "../contracts/ledger.ts";
import type { ObjectStore } from "../contracts/object-store.ts";
import type { TaskRecord } from "../contracts/task.ts";
import { withinTime } from "../tasks/time-limit.ts";

export interface ReconcilerOptions {
  readonly ledger: Pick<Ledger, "sweep" | "stats">;
  readonly objects: Pick<ObjectStore, "delete">;
  readonly clock: Clock;
  readonly checkpoint?: Checkpoint | undefined;
  /** Pause between two rounds, give or take a fifth. Default 1,000. */
  readonly intervalMs?: number | undefined;
  /** Tasks that one sweep changes at most. Default 500. */
  readonly limit?: number | undefined;
  /** How long tasks wait for a model that has no server. */
  readonly noServerMs: number;
  readonly retention?: SweepRequest["retention"];
  /** Whether a server of the model is known now. */
  readonly hasServer: (model: string) => boolean;
  /** Lanes whose server could not be started now; asked for each sweep. None by default. */
  readonly failing?: (() => readonly FailingLane[]) | undefined;
  /** In [0, 1). */
  readonly random?: (() => number) | undefined;
  /** Tasks that a sweep ended. */
  readonly onEnded: (tasks: readonly TaskRecord[]) => void;
  /** Tasks that went back to their lane. */
  readonly onReturned: (tasks: readonly TaskRecord[]) => void;
  readonly onError: (operation: string, error: unknown) => void;
}

/** Looks after the ledger from time to time. Any number of them may, at once. */
export interface Reconciler {
  /** Begins the rounds. Idempotent. */
  start(): void;
  /** Ends them, after the call under way. Idempotent. */
  stop(): Promise<void>;
  /** One round now, or the one under way. Never rejects. */
  runOnce(): Promise<void>;
}

/** Sweeps of one round, when each was cut short by its limit. */
const MAX_SWEEPS = 20;
const STATS_EVERY_MS = 5000;
/** A store that does not answer ends the round; the next one asks again. */
const STORE_TIMEOUT_MS = 10_000;
/** Keys that are kept for another try; beyond it the oldest are given up. */
const MAX_KEPT_KEYS = 100_000;

export function createReconciler(options: ReconcilerOptions): Reconciler {
  return new IntervalReconciler(options);
}

class IntervalReconciler implements Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #checkpoint: Checkpoint;
  readonly #unserved: UnservedLanes;
  #isStarted = false;
  #cancelTimer: (() => void) | undefined;
  #round: Promise<void> | undefined;
  #isStopping = false;
  /** Objects that nothing names any more and that could not be deleted yet. */
  #keys: string[] = [];
  #statsAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#checkpoint = options.checkpoint ?? noCheckpoint;
    this.#unserved = new UnservedLanes(options);
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#plan();
  }

  async stop(): Promise<void> {
    this.#isStarted = false;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#round === undefined) return;
    this.#isStopping = true;
    await this.#round;
  }

  runOnce(): Promise<void> {
    this.#round ??= this.#runRound().finally(() => {
      this.#round = undefined;
      this.#isStopping = false;
    });
    return this.#round;
  }

  #plan(): void {
    const { clock, intervalMs = 1000, random = Math.random } = this.#options;
    this.#cancelTimer = clock.after(intervalMs * (0.8 + 0.4 * random()), () => {
      this.#cancelTimer = undefined;
      void this.runOnce().then(() => {
        if (this.#isStarted && this.#cancelTimer === undefined) this.#plan();
      });
    });
  }

  async #runRound(): Promise<void> {
    await this.#lookAtLanes();
    let canForget = await this.#forgetObjects();
    for (let sweeps = 0; sweeps < MAX_SWEEPS && !this.#isStopping; sweeps += 1) {
      const swept = await this.#sweep();
      if (swept === undefined) break;
      this.#keys.push(...swept.unreferencedKeys);
      this.#tell("ended", this.#options.onEnded, swept.ended);
      this.#tell("returned", this.#options.onReturned, swept.returned);
      // At once: a crash forgets the keys, and nobody else knows them.
      canForget = canForget && (await this.#forgetObjects());
      if (!swept.more) break;
    }
  }

  async #lookAtLanes(): Promise<void> {
    const { clock, ledger } = this.#options;
    if (clock.monotonic() - this.#statsAtMs >= STATS_EVERY_MS) {
      try {
        const { lanes } = await this.#checkpoint(
          "reconciler.stats",
          withinTime(clock, STORE_TIMEOUT_MS, (signal) => ledger.stats({ signal })),
        );
        this.#unserved.follow(lanes.map(({ model }) => model));
        this.#statsAtMs = clock.monotonic();
      } catch (error) {
        this.#report("stats", error);
      }
    }
    this.#unserved.look();
  }

  async #sweep(): Promise<SweepReply | undefined> {
    const { clock, ledger, limit = 500, retention, failing } = this.#options;
    try {
      const request = { limit, unserved: this.#unserved.overdue(), failing: failing?.(), retention };
      return await this.#checkpoint(
        "reconciler.sweep",
        withinTime(clock, STORE_TIMEOUT_MS, (signal) => ledger.sweep(request, { signal })),
      );
    } catch (error) {
      this.#report("sweep", error);
      return undefined;
    }
  }

  async #forgetObjects(): Promise<boolean> {
    if (this.#keys.length === 0) return true;
    const keys = this.#keys;
    this.#keys = [];
    try {
      const { clock, objects } = this.#options;
      await this.#checkpoint(
        "reconciler.forget-objects",
        withinTime(clock, STORE_TIMEOUT_MS, (signal) => objects.delete(keys, { signal })),
      );
      return true;
    } catch (error) {
      this.#keys = [...keys, ...this.#keys].slice(-MAX_KEPT_KEYS);
      this.#report("forget-objects", error);
      return false;
    }
  }

  #tell(name: string, listener: (tasks: readonly TaskRecord[]) => void, tasks: readonly TaskRecord[]): void {
    if (tasks.length === 0) return;
    try {
      listener(tasks);
    } catch (error) {
      this.#report(name, error);
    }
  }

  #report(operation: string, error: unknown): void {
    try {
      this.#options.onError(operation, error);
    } catch {
      // A listener that throws must not end the rounds.
    }
  }
}

/** Since when the lanes with waiting tasks have had no server. */
class UnservedLanes {
  readonly #options: Pick<ReconcilerOptions, "clock" | "hasServer" | "noServerMs">;
  readonly #sinceMs = new Map<string, number>();
  #models: readonly string[] = [];

  constructor(options: Pick<ReconcilerOptions, "clock" | "hasServer" | "noServerMs">) {
    this.#options = options;
  }

  /** These lanes have waiting tasks. A lane that ran empty begins anew. */
  follow(models: readonly string[]): void {
    this.#models = models;
    const followed = new Set(models);
    for (const model of this.#sinceMs.keys()) if (!followed.has(model)) this.#sinceMs.delete(model);
  }

  look(): void {
    const { clock, hasServer } = this.#options;
    const nowMs = clock.monotonic();
    for (const model of this.#models) {
      if (hasServer(model)) this.#sinceMs.delete(model);
      else if (!this.#sinceMs.has(model)) this.#sinceMs.set(model, nowMs);
    }
  }

  overdue(): string[] {
    const { clock, hasServer, noServerMs } = this.#options;
    const nowMs = clock.monotonic();
    return Array.from(this.#sinceMs)
      .filter(([model, sinceMs]) => nowMs - sinceMs >= noServerMs && !hasServer(model))
      .map(([model]) => model);
  }
}
