import PQueue from "p-queue";

/** What came of asking for something, and for how long that is good enough; 0 when it is not to be kept. */
export interface Reading<T> {
  readonly value: T | undefined;
  readonly keepMs: number;
}

export interface TimedReaderOptions<T> {
  /** Has to settle as soon as the signal is aborted; `beforeAbort` sees to it. */
  readonly ask: (key: string, signal: AbortSignal) => Promise<Reading<T>>;
  /** From `read` on, waiting for others included. */
  readonly timeoutMs: number;
  /** Asked for at once. */
  readonly maxAsked: number;
  readonly maxKept: number;
  /** For how long nobody asks again after a time-out or a failure. */
  readonly keepFailuresMs: number;
}

/** Of the time: with less of it left, nobody is asked any more. Those who hang all end at one moment, and free all turns. */
const LEAST_SHARE = 0.1;

const NOT_ASKED: Reading<never> = { value: undefined, keepMs: 0 };

interface Kept<T> {
  readonly value: Promise<T | undefined>;
  /** Infinite while it is being asked for. */
  untilMs: number;
}

/**
 * Asks others for things by key: a few at a time, each with the same deadline from when it was wanted, so that a list of
 * them is complete by then, whatever some of them do. What came is kept for a while, and not without bound.
 */
export class TimedReader<T> {
  readonly #options: TimedReaderOptions<T>;
  readonly #kept = new Map<string, Kept<T>>();
  readonly #line: PQueue;

  constructor(options: TimedReaderOptions<T>) {
    this.#options = options;
    this.#line = new PQueue({ concurrency: options.maxAsked });
  }

  /** What comes in time, else `undefined`. Never rejects. */
  read(key: string): Promise<T | undefined> {
    const known = this.#kept.get(key);
    if (known !== undefined && performance.now() < known.untilMs) return known.value;
    const reading = this.#reading(key);
    const kept: Kept<T> = { value: reading.then(({ value }) => value), untilMs: Number.POSITIVE_INFINITY };
    this.#keep(key, kept);
    void reading.then(({ keepMs }) => {
      kept.untilMs = performance.now() + keepMs;
      if (keepMs === 0 && this.#kept.get(key) === kept) this.#kept.delete(key);
    });
    return kept.value;
  }

  #keep(key: string, kept: Kept<T>): void {
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= this.#options.maxKept) break;
      this.#kept.delete(oldest);
    }
  }

  async #reading(key: string): Promise<Reading<T>> {
    const { ask, timeoutMs, keepFailuresMs } = this.#options;
    const signal = AbortSignal.timeout(timeoutMs);
    const tooLateAtMs = performance.now() + timeoutMs * (1 - LEAST_SHARE);
    const asking = (): Promise<Reading<T>> => {
      if (performance.now() >= tooLateAtMs) return Promise.resolve(NOT_ASKED);
      return ask(key, signal).catch(() => ({ value: undefined, keepMs: keepFailuresMs }));
    };
    let answer: Promise<Reading<T>> | undefined;
    const begin = (): Promise<Reading<T>> => {
      answer = asking();
      return answer;
    };
    // The line gives up on whoever is aborted, also on an answer that is about to come with what came in time.
    const inLine = this.#line.add(begin, { signal });
    // Where nobody was asked, nothing is known that could be kept.
    return await inLine.catch(() => answer ?? NOT_ASKED);
  }
}

/** Rejects with the signal's reason, also when whoever was asked does not heed it. */
export function beforeAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    promise.then(resolve, reject);
  });
}
