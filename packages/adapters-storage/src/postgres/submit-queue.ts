import type { NewTask, SubmitOutcome } from "@modelgate/core";
import { isHasEnded, isOfItem, refusalOfItem } from "./postgres-error.ts";
import type { Session } from "./session.ts";
import { submitCarefully, submitNew } from "./submit.ts";

interface Waiting {
  readonly tasks: readonly NewTask[];
  readonly resolve: (outcomes: SubmitOutcome[]) => void;
  readonly reject: (error: unknown) => void;
}

type Transact = <T>(work: (session: Session) => Promise<T>) => Promise<T>;

/** While one batch commits the next one is on its way and a third collects. */
const MOST_IN_FLIGHT = 2;
const MOST_TASKS = 1_000;
const MOST_BYTES = 8 * 1024 * 1024;

/** Collects the submissions of a moment into one transaction. Each is answered after its own has committed. */
export class SubmitQueue {
  readonly #transact: Transact;
  #waiting: Waiting[] = [];
  #inFlight = 0;
  #isScheduled = false;

  constructor(transact: Transact) {
    this.#transact = transact;
  }

  submit(tasks: readonly NewTask[]): Promise<SubmitOutcome[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ tasks, resolve, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isScheduled || this.#inFlight >= MOST_IN_FLIGHT || this.#waiting.length === 0) return;
    this.#isScheduled = true;
    // After all continuations of this turn have made their calls.
    setImmediate(() => {
      this.#isScheduled = false;
      void this.#flush();
    });
  }

  async #flush(): Promise<void> {
    const calls = this.#take();
    if (calls.length === 0) return;
    this.#inFlight += 1;
    this.#schedule();
    try {
      const outcomes = await this.#write(calls.flatMap(({ tasks }) => tasks));
      let at = 0;
      for (const { tasks, resolve } of calls) {
        resolve(outcomes.slice(at, at + tasks.length));
        at += tasks.length;
      }
    } catch (error) {
      for (const { reject } of calls) reject(error);
    } finally {
      this.#inFlight -= 1;
      this.#schedule();
    }
  }

  #take(): Waiting[] {
    let [tasks, bytes, calls] = [0, 0, 0];
    for (const waiting of this.#waiting) {
      if (calls > 0 && (tasks + waiting.tasks.length > MOST_TASKS || bytes > MOST_BYTES)) break;
      calls += 1;
      tasks += waiting.tasks.length;
      for (const { payload } of waiting.tasks) bytes += payload.inline?.byteLength ?? 0;
    }
    return this.#waiting.splice(0, calls);
  }

  async #write(tasks: readonly NewTask[]): Promise<SubmitOutcome[]> {
    if (tasks.length > MOST_TASKS) {
      // One call with many: in pieces, so that no transaction is long.
      const first = await this.#write(tasks.slice(0, MOST_TASKS));
      return [...first, ...(await this.#write(tasks.slice(MOST_TASKS)))];
    }
    const hasKeys = tasks.some(({ idempotency }) => idempotency !== undefined);
    if (!hasKeys) {
      try {
        const outcomes = await this.#transact((session) => submitNew(session, tasks));
        const known = tasks.filter((_, index) => outcomes[index] === undefined);
        if (known.length === 0) return outcomes as SubmitOutcome[];
        const others = await this.#carefully(known);
        return outcomes.map((outcome) => outcome ?? (others.shift() as SubmitOutcome));
      } catch (error) {
        if (!isHasEnded(error) && !isOfItem(error)) throw error;
      }
    }
    return await this.#carefully(tasks);
  }

  /** Halves a batch that the database refuses until the item is found that it refuses. */
  async #carefully(tasks: readonly NewTask[]): Promise<SubmitOutcome[]> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#transact((session) => submitCarefully(session, tasks));
      } catch (error) {
        // It ended between the look and the insertion: the next look finds it.
        if (isHasEnded(error) && tries < 5) continue;
        if (!isOfItem(error)) throw error;
        if (tasks.length === 1) return [{ outcome: "refused", error: refusalOfItem(error) }];
        const half = Math.ceil(tasks.length / 2);
        const first = await this.#carefully(tasks.slice(0, half));
        return [...first, ...(await this.#carefully(tasks.slice(half)))];
      }
    }
  }
}
