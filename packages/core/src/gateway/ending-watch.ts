import type { Clock } from "../contracts/clock.ts";
import type { Ledger } from "../contracts/ledger.ts";
import type { TaskRecord } from "../contracts/task.ts";
import { GatewayError } from "../errors.ts";
import type { WaitOptions } from "../gateway-api.ts";
import { isTerminal } from "../tasks/task-state.ts";
import { withinTime } from "../tasks/time-limit.ts";

export interface EndingWatchOptions {
  readonly ledger: Ledger;
  readonly clock: Clock;
  /** How often those are looked up of whom nothing was heard. */
  readonly pollMs: number;
  readonly onError: (error: unknown) => void;
}

interface Waiter {
  readonly resolve: (task: TaskRecord) => void;
  readonly reject: (error: unknown) => void;
}

/** Most tasks in one read, and most that are kept of what was read last. */
const READ_BATCH = 500;
const READ_TIMEOUT_MS = 10_000;
const RECENT_TASKS = 1_000;
const RECENT_BYTES = 4_194_304;
const FRESH_TASKS = 100_000;

/**
 * Lets any number wait for endings with one shared, batched read, woken by hints. Hints may be lost: whoever waits is
 * looked up every `pollMs` too.
 */
export class EndingWatch {
  readonly #options: EndingWatchOptions;
  readonly #waiters = new Map<string, Set<Waiter>>();
  /** Ids to read with the next batch. */
  readonly #due = new Set<string>();
  /** Accepted by this process and not heard of since: they need no look at once. */
  readonly #fresh = new Set<string>();
  /**
   * What was read last, so that a result asked for right after its ending costs no second read. In two halves: a map
   * that loses its oldest entry with each new one has to step over the gaps.
   */
  #recent = new Map<string, TaskRecord>();
  #older: ReadonlyMap<string, TaskRecord> = new Map();
  #recentBytes = 0;
  #isReading = false;
  #cancelPoll: (() => void) | undefined;
  /** While somebody waits, the process has something to live for, whatever its servers are. */
  #letGo: (() => void) | undefined;

  constructor(options: EndingWatchOptions) {
    this.#options = options;
  }

  /** This process has just seen it being accepted. */
  accepted(id: string): void {
    this.#fresh.add(id);
    if (this.#fresh.size <= FRESH_TASKS) return;
    for (const oldest of this.#fresh) {
      this.#fresh.delete(oldest);
      return;
    }
  }

  /** This process knows how it ended. */
  ended(task: TaskRecord): void {
    this.#fresh.delete(task.id);
    this.#tell(task.id, task);
  }

  /** These are said to have ended. */
  hint(ids: Iterable<string>): void {
    for (const id of ids) {
      this.#fresh.delete(id);
      if (this.#waiters.has(id)) this.#due.add(id);
    }
    void this.#read();
  }

  /** An ended task with its inline result, if it was read a moment ago. */
  recent(id: string): TaskRecord | undefined {
    return this.#recent.get(id) ?? this.#older.get(id);
  }

  wait(id: string, options: WaitOptions = {}): Promise<TaskRecord> {
    const { timeoutMs, signal } = options;
    const known = this.recent(id);
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const leave = (): void => {
        cancelTimer?.();
        signal?.removeEventListener("abort", onAbort);
        const waiters = this.#waiters.get(id);
        waiters?.delete(waiter);
        if (waiters?.size === 0) this.#waiters.delete(id);
        if (this.#waiters.size > 0) return;
        this.#letGo?.();
        this.#letGo = undefined;
      };
      const waiter: Waiter = {
        resolve: (task) => {
          leave();
          resolve(task);
        },
        reject: (error) => {
          leave();
          reject(error);
        },
      };
      const onAbort = (): void => waiter.reject(signal?.reason);
      signal?.addEventListener("abort", onAbort, { once: true });
      const cancelTimer =
        timeoutMs === undefined
          ? undefined
          : this.#options.clock.after(timeoutMs, () => this.#timedOut(id, waiter));
      const waiters = this.#waiters.get(id);
      if (waiters === undefined) this.#waiters.set(id, new Set([waiter]));
      else waiters.add(waiter);
      this.#letGo ??= this.#options.clock.hold?.();
      if (!this.#fresh.has(id)) this.#due.add(id);
      void this.#read();
      this.#schedulePoll();
    });
  }

  /** Ends every wait; the gateway has stopped. */
  close(): void {
    this.#cancelPoll?.();
    const error = new GatewayError("CLOSED", "the gateway has stopped");
    for (const waiters of [...this.#waiters.values()])
      for (const waiter of [...waiters]) waiter.reject(error);
  }

  /** The time is over: the task is given as it is, from one more read. */
  #timedOut(id: string, waiter: Waiter): void {
    const { clock, ledger } = this.#options;
    withinTime(clock, READ_TIMEOUT_MS, (signal) => ledger.get([id], { bodies: "result", signal })).then(
      ([task]) => {
        if (task === undefined) waiter.reject(unknownTask(id));
        else waiter.resolve(task);
      },
      waiter.reject,
    );
  }

  #schedulePoll(): void {
    if (this.#cancelPoll !== undefined) return;
    this.#cancelPoll = this.#options.clock.after(this.#options.pollMs, () => {
      this.#cancelPoll = undefined;
      if (this.#waiters.size === 0) return;
      for (const id of this.#waiters.keys()) this.#due.add(id);
      void this.#read();
      this.#schedulePoll();
    });
  }

  async #read(): Promise<void> {
    if (this.#isReading || this.#due.size === 0) return;
    this.#isReading = true;
    try {
      while (this.#due.size > 0) {
        const ids = [...this.#due].slice(0, READ_BATCH);
        for (const id of ids) this.#due.delete(id);
        const { clock, ledger } = this.#options;
        const tasks = await withinTime(clock, READ_TIMEOUT_MS, (signal) =>
          ledger.get(ids, { bodies: "result", signal }),
        );
        for (const [at, id] of ids.entries()) this.#tell(id, tasks[at]);
      }
    } catch (error) {
      // The poll asks again; a store that is away for a moment ends no wait.
      this.#options.onError(error);
    } finally {
      this.#isReading = false;
    }
  }

  #tell(id: string, task: TaskRecord | undefined): void {
    const waiters = this.#waiters.get(id);
    if (waiters === undefined) return;
    if (task === undefined) for (const waiter of [...waiters]) waiter.reject(unknownTask(id));
    else if (isTerminal(task.state)) {
      this.#remember(task);
      for (const waiter of [...waiters]) waiter.resolve(task);
    }
  }

  #remember(task: TaskRecord): void {
    const bytes = task.result?.inline?.byteLength ?? 0;
    if (bytes > RECENT_BYTES / 2) return;
    if (this.#recent.size >= RECENT_TASKS / 2 || this.#recentBytes + bytes > RECENT_BYTES / 2) {
      this.#older = this.#recent;
      this.#recent = new Map();
      this.#recentBytes = 0;
    }
    this.#recent.set(task.id, task);
    this.#recentBytes += bytes;
  }
}

export function unknownTask(id: string): GatewayError {
  return new GatewayError("TASK_UNKNOWN", `there is no task "${id}"`, { details: { id } });
}
