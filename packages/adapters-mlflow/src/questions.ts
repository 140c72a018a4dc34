import { GatewayError, type OperationOptions } from "@modelgate/core";
import { unlessAborted } from "@modelgate/core/adapter";
import { Memory } from "./memory.ts";

/** How a question is asked. */
export interface Question<T> {
  /** Equal questions have the same, and share one answer while it is on its way. Default: each is asked for itself. */
  readonly key?: string | undefined;
  /** For how long its answer is remembered. Default: not at all. Failures never are. */
  readonly keepMs?: ((answer: T) => number) | undefined;
}

interface Flight {
  readonly key: string | undefined;
  readonly answer: Promise<unknown>;
  readonly controller: AbortController;
  askers: number;
}

/** Questions within one time limit each, which end when nobody wants the answer any more, or at the latest by `close`. */
export class Questions {
  readonly #timeoutMs: number;
  readonly #timedOut: () => Error;
  readonly #flights = new Set<Flight>();
  readonly #byKey = new Map<string, Flight>();
  readonly #memory = new Memory();
  #isClosed = false;

  constructor(timeoutMs: number, timedOut: () => Error) {
    this.#timeoutMs = timeoutMs;
    this.#timedOut = timedOut;
  }

  async ask<T>(
    question: Question<T>,
    { signal }: OperationOptions,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    if (this.#isClosed) throw closed();
    signal?.throwIfAborted();
    const { key } = question;
    const remembered = key === undefined ? undefined : this.#memory.get(key);
    // What is remembered stays ours: whoever is told gets a copy.
    if (remembered !== undefined) return structuredClone(remembered.value) as T;
    const flight = (key === undefined ? undefined : this.#byKey.get(key)) ?? this.#begin(question, work);
    flight.askers += 1;
    try {
      return structuredClone(await unlessAborted(flight.answer, signal)) as T;
    } finally {
      flight.askers -= 1;
      if (flight.askers === 0 && this.#flights.has(flight))
        this.#end(flight, new Error("nobody asks any more"));
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const flight of this.#flights) this.#end(flight, closed());
    this.#memory.clear();
  }

  #begin<T>({ key, keepMs }: Question<T>, work: (signal: AbortSignal) => Promise<T>): Flight {
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(this.#timedOut()), this.#timeoutMs);
    const run = async (): Promise<T> => {
      try {
        const answer = await unlessAborted(work(controller.signal), controller.signal);
        if (key !== undefined && keepMs !== undefined) this.#memory.set(key, answer, keepMs(answer));
        return answer;
      } finally {
        clearTimeout(timer);
        this.#forget(flight);
      }
    };
    // `run` gets to its end later than this is done, as it waits at least once.
    const flight: Flight = { key, answer: Promise.resolve().then(run), controller, askers: 0 };
    flight.answer.catch(() => {});
    this.#flights.add(flight);
    if (key !== undefined) this.#byKey.set(key, flight);
    return flight;
  }

  #end(flight: Flight, reason: Error): void {
    this.#forget(flight);
    flight.controller.abort(reason);
  }

  #forget(flight: Flight): void {
    this.#flights.delete(flight);
    if (flight.key !== undefined && this.#byKey.get(flight.key) === flight) this.#byKey.delete(flight.key);
  }
}

function closed(): GatewayError {
  return new GatewayError("CLOSED", "the tracking is closed");
}
