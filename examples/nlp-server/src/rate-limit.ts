const windowMs = 60_000;
const limited: ReadonlyMap<string, number> = new Map([
  ["/process", 1],
  ["/process_jsonl", 1],
  ["/redact", 1],
  ["/redact_with_encryption", 1],
  ["/process_bulk", 0.5],
]);

/**
 * The limit of CMS: by address and path, over a window that moves. Each request counts twice there, so that only half
 * of what is configured gets through; it is the same here.
 */
export class RateLimit {
  readonly #perMinute: number;
  readonly #admitted = new Map<string, number[]>();

  constructor(perMinute: number) {
    this.#perMinute = perMinute;
  }

  admits(route: string, address: string): boolean {
    const share = limited.get(route);
    if (share === undefined) return true;
    const key = `${address} ${route}`;
    const now = performance.now();
    const recent = (this.#admitted.get(key) ?? []).filter((at) => now - at < windowMs);
    const isAdmitted = recent.length < Math.floor((this.#perMinute * share) / 2);
    if (isAdmitted) recent.push(now);
    this.#admitted.set(key, recent);
    return isAdmitted;
  }
}
