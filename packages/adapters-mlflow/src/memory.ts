const MOST_ENTRIES = 1000;

/** Answers for a while; of too many, those that were asked for least recently go. */
export class Memory {
  readonly #entries = new Map<string, { readonly value: unknown; readonly untilMs: number }>();

  get(key: string): { readonly value: unknown } | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    if (entry.untilMs <= performance.now()) return undefined;
    this.#entries.set(key, entry);
    return entry;
  }

  set(key: string, value: unknown, keepMs: number): void {
    if (keepMs <= 0) return;
    this.#entries.delete(key);
    this.#entries.set(key, { value, untilMs: performance.now() + keepMs });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > MOST_ENTRIES && oldest !== undefined) this.#entries.delete(oldest);
  }

  clear(): void {
    this.#entries.clear();
  }
}
