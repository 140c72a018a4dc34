import type { Log } from "../log.ts";
import { safeError } from "../safe-error.ts";

/** What was started, to be ended in the reverse order. */
export class Parts {
  readonly #ends: (() => Promise<unknown>)[] = [];
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  add(end: () => Promise<unknown>): void {
    this.#ends.push(end);
  }

  async stop(): Promise<void> {
    for (const end of this.#ends.reverse()) {
      await end().catch((error: unknown) => this.#log.error("a part did not end well", safeError(error)));
    }
  }
}
