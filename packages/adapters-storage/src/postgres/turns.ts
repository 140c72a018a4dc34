/**
 * Lets calls of one name go one at a time, the latest first. A caller who has given up waiting asks again; were both sent
 * to the server, they would wait there for each other, each with a connection.
 */
export class Turns {
  readonly #waiting = new Map<string, (() => void)[]>();
  readonly #longestWaitMs: number;

  /** Whoever has waited for `longestWaitMs` goes all the same: a connection that hangs must not hold up everything. */
  constructor(longestWaitMs: number) {
    this.#longestWaitMs = longestWaitMs;
  }

  async run<T>(name: string, work: () => Promise<T>): Promise<T> {
    const waiting = this.#waiting.get(name);
    let isMine = true;
    if (waiting === undefined) this.#waiting.set(name, []);
    else isMine = await this.#waitIn(waiting);
    try {
      return await work();
    } finally {
      if (isMine) this.#passOn(name);
    }
  }

  #passOn(name: string): void {
    const next = this.#waiting.get(name)?.pop();
    if (next === undefined) this.#waiting.delete(name);
    else next();
  }

  /** Resolves to whether it is this one's turn. */
  #waitIn(waiting: (() => void)[]): Promise<boolean> {
    return new Promise((resolve) => {
      const take = (): void => {
        clearTimeout(timer);
        resolve(true);
      };
      const timer = setTimeout(() => {
        const at = waiting.indexOf(take);
        if (at >= 0) waiting.splice(at, 1);
        resolve(false);
      }, this.#longestWaitMs);
      waiting.push(take);
    });
  }
}
