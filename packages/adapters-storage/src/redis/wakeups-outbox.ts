import { setImmediate as nextTurn } from "node:timers/promises";

/** Kept while the server does not answer. */
const MOST_NAMES = 16_000;

/** Sends the names of one turn together, and those that come while it sends after them. */
export class Outbox {
  readonly #send: (names: readonly string[]) => Promise<void>;
  #next: { readonly names: Set<string>; readonly sent: Promise<void> } | undefined;
  #sent: Promise<void> = Promise.resolve();

  constructor(send: (names: readonly string[]) => Promise<void>) {
    this.#send = send;
  }

  /** Resolves when the names have been sent. */
  add(names: readonly string[]): Promise<void> {
    this.#next ??= this.#begin();
    for (const name of names) {
      if (this.#next.names.size === MOST_NAMES) break;
      this.#next.names.add(name);
    }
    return this.#next.sent;
  }

  async idle(): Promise<void> {
    await this.#sent.catch(() => {});
  }

  #begin(): { names: Set<string>; sent: Promise<void> } {
    const names = new Set<string>();
    const sent = this.idle()
      .then(() => nextTurn())
      .then(() => {
        this.#next = undefined;
        return this.#send([...names]);
      });
    this.#sent = sent;
    return { names, sent };
  }
}
