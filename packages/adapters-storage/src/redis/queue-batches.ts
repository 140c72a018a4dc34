import { randomBytes } from "node:crypto";
import { type Delivery, GatewayError } from "@modelgate/core";
import { Batch, type Share } from "./queue-batch.ts";
import type { QueueHost } from "./queue-host.ts";
import { TakeBatch, type TakeShare } from "./queue-take.ts";

/** While the server works on one flush the next one is on its way, and a third collects. */
const MOST_IN_FLIGHT = 2;
/** Scripts of each kind that one flush sends: what others ask comes between two flushes. */
const MOST_SCRIPTS = 8;
/** Entries that calls may have in line for a server that is slow. */
const MOST_WAITING = 50_000;

/**
 * Collects the calls of a moment, so that they share scripts and one trip. Changes keep their order; settlements come
 * after them and takes last, so that what was just given back can be had by the same trip.
 */
export class QueueBatches {
  readonly #host: QueueHost;
  readonly #keys: readonly string[];
  /** Of this object alone, and not to be guessed, so that no receipt of another one, or of another time, fits. */
  readonly #name = randomBytes(12).toString("base64url");
  #takesSent = 0;
  #waiting = 0;
  #inFlight = 0;
  #isScheduled = false;
  #changes: Batch[] = [];
  #settlements: Batch[] = [];
  #takes: TakeBatch[] = [];

  constructor(host: QueueHost, keys: readonly string[]) {
    this.#host = host;
    this.#keys = keys;
  }

  change(share: Share): Promise<void> {
    return this.#add(this.#changes, share);
  }

  settle(share: Share): Promise<void> {
    return this.#add(this.#settlements, share);
  }

  take(share: TakeShare): Promise<Delivery[]> {
    let batch = this.#takes.at(-1);
    if (batch === undefined || !batch.hasRoomFor(share)) {
      batch = new TakeBatch();
      this.#takes.push(batch);
    }
    this.#waiting += share.max;
    const taken = batch.add(share);
    this.#schedule();
    return taken;
  }

  #add(batches: Batch[], share: Share): Promise<void> {
    let batch = batches.at(-1);
    if (batch === undefined || !batch.hasRoomFor(share)) {
      batch = new Batch(share.script);
      batches.push(batch);
    }
    this.#waiting += share.ids.length;
    const done = batch.add(share);
    this.#schedule();
    return done;
  }

  /** Asked once for each call, so that one call may be of any size. */
  requireRoom(): void {
    if (this.#waiting < MOST_WAITING) return;
    const message = `${MOST_WAITING} entries are in line for Redis, which does not keep up; call again`;
    throw new GatewayError("STORE_UNAVAILABLE", message, { details: { adapter: "redis" } });
  }

  #schedule(): void {
    if (this.#isScheduled || this.#inFlight >= MOST_IN_FLIGHT) return;
    if (this.#changes.length + this.#settlements.length + this.#takes.length === 0) return;
    this.#isScheduled = true;
    // After all continuations of this turn have made their calls.
    setImmediate(() => {
      this.#isScheduled = false;
      void this.#flush();
    });
  }

  async #flush(): Promise<void> {
    const batches = [
      ...this.#changes.splice(0, MOST_SCRIPTS),
      ...this.#settlements.splice(0, MOST_SCRIPTS),
      ...this.#takes.splice(0, MOST_SCRIPTS),
    ];
    for (const { size } of batches) this.#waiting -= size;
    this.#inFlight += 1;
    await Promise.all(batches.map((batch) => batch.send(this.#host, this.#keys, this.#nextToken())));
    this.#inFlight -= 1;
    this.#schedule();
  }

  #nextToken(): string {
    this.#takesSent += 1;
    return `${this.#name}${this.#takesSent.toString(36)}`;
  }
}
