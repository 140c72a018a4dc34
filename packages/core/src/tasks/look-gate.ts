/** Lets so many looks at servers begin at once; the others wait in the order in which they came. */
export class LookGate {
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];
  #open = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  async pass<T>(look: () => Promise<T>): Promise<T> {
    if (this.#open < this.#limit) this.#open += 1;
    // Whoever leaves hands its place on.
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await look();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#open -= 1;
      else next();
    }
  }
}
