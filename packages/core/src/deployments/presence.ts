import type { Clock } from "../contracts/clock.ts";
import type { JsonValue, RecordStore } from "../contracts/record-store.ts";
import { withinTime } from "../tasks/time-limit.ts";

const PREFIX = "gateways/";
const STORE_TIMEOUT_MS = 5_000;

/** What one gateway still does on a server. */
export interface Load {
  /** Attempts and direct calls under way. */
  readonly inFlight: number;
  /** How many of them are background runs. */
  readonly background: number;
}

/** That nothing new goes to a draining server from here any more. */
export interface Ack extends Load {
  /** Since when it drains: it may have been needed after all, and drain anew. */
  readonly sinceMs: number;
}

/** What a gateway tells the others each time. */
export interface Marks {
  readonly name: string;
  /** How long ago each deployed model was last in use here, in milliseconds. */
  readonly idleMs: Readonly<Record<string, number>>;
  /** By generation. */
  readonly acks: Readonly<Record<string, Ack>>;
}

interface Seen {
  readonly version: string;
  /** When the answer came in which this version was first seen here, by the monotonic clock. */
  readonly atMs: number;
  /** Its own: by that it knows when the others give it up. */
  readonly leaseMs: number;
  readonly marks: Marks;
}

/**
 * Which gateways are there. Each rewrites a record of its own every third of a lease; one whose record has not changed
 * for its lease, as counted by whoever looks, is gone. No two clocks are ever compared.
 */
export class Presence {
  readonly id: string;
  readonly #records: RecordStore;
  readonly #clock: Clock;
  readonly #leaseMs: number;
  #version: string | null = null;
  /** When the last beat that arrived was sent. */
  #beatenMs = Number.NEGATIVE_INFINITY;
  #lookedMs = Number.NEGATIVE_INFINITY;
  /** How often the others were told of this gateway that may have taken it for gone, or had not heard of it. */
  #returns = 0;
  /** For which of these returns it knows what the others had decided. */
  #caughtUp = 0;
  #count = 0;
  #told = "";
  #others = new Map<string, Seen>();
  #beating: Promise<void> = Promise.resolve();

  constructor(
    id: string,
    { records, clock, leaseMs }: { records: RecordStore; clock: Clock; leaseMs: number },
  ) {
    this.id = id;
    this.#records = records;
    this.#clock = clock;
    this.#leaseMs = leaseMs;
  }

  /** Whether the others count on this gateway, and it knows what they did while they did not. When not, it must not act. */
  get isCurrent(): boolean {
    return this.#isCounted && this.#caughtUp === this.#returns;
  }

  get #isCounted(): boolean {
    return this.#clock.monotonic() - this.#beatenMs < this.#leaseMs * 0.75;
  }

  /** To be called before what the others decided is read; the function returned, once notice of it was taken. */
  catchUp(): () => void {
    const returns = this.#returns;
    return () => {
      this.#caughtUp = returns;
    };
  }

  /** When the last look that has ended began, by the monotonic clock. */
  get lookedMs(): number {
    return this.#lookedMs;
  }

  /** As of the last look: time in which nobody looked says nothing against the others. */
  isLive(id: string): boolean {
    if (id === this.id) return true;
    const seen = this.#others.get(id);
    return seen !== undefined && this.#lookedMs - seen.atMs <= seen.leaseMs;
  }

  /** What the other live gateways told last, and when that was first seen here, by the monotonic clock. */
  *live(): Generator<{ readonly marks: Marks; readonly atMs: number }> {
    for (const [id, seen] of this.#others) if (this.isLive(id)) yield seen;
  }

  /** Beats when it is time, or when there is news for the others; one beat at a time. */
  async beat(marks: () => Marks): Promise<void> {
    const turn = this.#beating.then(() => this.#beat(marks()));
    this.#beating = turn.catch(() => {});
    await turn;
  }

  async #beat(marks: Marks): Promise<void> {
    const nowMs = this.#clock.monotonic();
    const told = JSON.stringify(marks.acks);
    if (nowMs - this.#beatenMs < this.#leaseMs / 3 && told === this.#told) return;
    this.#count += 1;
    const value = { v: 1, count: this.#count, leaseMs: this.#leaseMs, ...marks } as unknown as JsonValue;
    const key = `${PREFIX}${this.id}`;
    const put = (expected: string | null) =>
      this.#call((signal) => this.#records.put(key, value, expected, { signal }));
    // Somebody may have taken this gateway for gone and swept its record; and a reply may have been lost.
    const record = (await put(this.#version)) ?? (await put(await this.#ownVersion(key)));
    if (record === undefined) return;
    this.#version = record.version;
    if (!this.#isCounted) this.#returns += 1;
    this.#beatenMs = nowMs;
    this.#told = told;
  }

  /** Looks at the others when it is time, or at once. */
  async look({ isUrgent = false }: { readonly isUrgent?: boolean } = {}): Promise<void> {
    const nowMs = this.#clock.monotonic();
    if (!isUrgent && nowMs - this.#lookedMs < this.#leaseMs / 5) return;
    const found = new Map<string, Seen>();
    let cursor: string | undefined;
    do {
      const page = await this.#call((signal) => this.#records.list(PREFIX, cursor, { signal }));
      const atMs = this.#clock.monotonic();
      for (const { key, version, value } of page.items) {
        const id = key.slice(PREFIX.length);
        if (id === this.id) continue;
        const before = this.#others.get(id);
        const isSame = before?.version === version;
        const { leaseMs, ...marks } = value as unknown as Marks & { readonly leaseMs: number };
        found.set(id, isSame ? before : { version, atMs, leaseMs, marks });
      }
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    this.#others = found;
    this.#lookedMs = nowMs;
  }

  /** Forgets gateways that have been gone for long. */
  async sweep(): Promise<void> {
    const nowMs = this.#clock.monotonic();
    for (const [id, { version, atMs, leaseMs }] of this.#others) {
      if (nowMs - atMs < leaseMs * 6) continue;
      await this.#call((signal) => this.#records.delete(`${PREFIX}${id}`, version, { signal }));
    }
  }

  /** Takes leave, so that nobody waits for this gateway. */
  async leave(): Promise<void> {
    await this.#beating;
    if (this.#version === null) return;
    const version = this.#version;
    this.#version = null;
    this.#beatenMs = Number.NEGATIVE_INFINITY;
    await this.#call((signal) => this.#records.delete(`${PREFIX}${this.id}`, version, { signal }));
  }

  async #ownVersion(key: string): Promise<string | null> {
    return (await this.#call((signal) => this.#records.get(key, { signal })))?.version ?? null;
  }

  #call<T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return withinTime(this.#clock, STORE_TIMEOUT_MS, call);
  }
}
