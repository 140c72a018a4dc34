// A runner as a careful embedder would write it on the ledger alone: one exchange at a time carries what was settled and
// asks for exactly the free slots; nothing is fetched ahead.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

const LEASE_MS = 10_000;
/** Between looks when no hint comes. */
const POLL_MS = 500;

export class BenchRunner {
  #options;
  #settle = [];
  #running = 0;
  #isWanted = true;
  #wake;
  #state = "idle";
  #loop;
  /**
   * `limit` is the server's, for all runners together; `slots` is how many of them this one takes at most.
   * `handle` is called for each task with its payload and gives a result; `onEnded` is told how many endings a commit
   * has just made. `gatherMs` is how long an exchange that carries little waits for more; with 0 it takes what has come
   * in this turn of the event loop.
   */
  constructor({ slots, ...options }) {
    this.#options = { gatherMs: 0, ...options, slots: slots ?? options.limit };
  }

  /** Works until `stop`, or until an exchange fails, which a bench does not live through. */
  start(onError) {
    this.#state = "working";
    this.#loop = this.#run().catch(onError);
  }

  /** There may be something to grant. */
  poke() {
    this.#isWanted = true;
    this.#wake?.();
  }

  /** Takes nothing new and resolves once everything that was taken is settled. */
  async stop() {
    this.#state = "stopping";
    this.#wake?.();
    await this.#loop;
  }

  async #run() {
    const { slots, gatherMs } = this.#options;
    const incarnation = randomUUID();
    let sequence = 0;
    let lookAtMs = 0;
    for (;;) {
      const isWorking = this.#state === "working";
      const asks = isWorking && this.#running < slots && (this.#isWanted || performance.now() >= lookAtMs);
      if (this.#settle.length === 0 && !asks) {
        if (!isWorking && this.#running === 0) return;
        await this.#rest(this.#running < slots ? Math.max(1, lookAtMs - performance.now()) : POLL_MS);
        continue;
      }
      await this.#gather(gatherMs);
      this.#isWanted = false;
      const settle = this.#settle.splice(0);
      const max = isWorking ? slots - this.#running : 0;
      sequence += 1;
      const reply = await this.#exchange({ incarnation, sequence, settle, max });
      for (const { outcome } of reply.settled) if (outcome !== "accepted") throw new Error(outcome);
      if (settle.length > 0) this.#options.onEnded(settle.length);
      for (const grant of reply.grants) void this.#work(grant);
      // A lane that gave less than was asked for is empty: the next look waits for a hint or for the poll.
      if (max > 0 && reply.grants.length === max) this.#isWanted = true;
      lookAtMs = performance.now() + Math.min(POLL_MS, reply.nextDueInMs ?? POLL_MS);
    }
  }

  /** What ends in this turn of the loop travels together; if asked for, also what ends or comes a little later. */
  async #gather(gatherMs) {
    await new Promise(setImmediate);
    const untilMs = performance.now() + gatherMs;
    const enough = this.#options.slots / 2;
    while (this.#settle.length < enough && performance.now() < untilMs) await sleep(1);
  }

  #exchange({ incarnation, sequence, settle, max }) {
    const { ledger, name, limit, models } = this.#options;
    const want = max > 0 ? [{ server: "server", limit, max, models, background: false, cost: 1 }] : [];
    return ledger.exchange({
      runner: name,
      incarnation,
      sequence,
      acknowledged: sequence - 1,
      leaseMs: LEASE_MS,
      settle,
      renew: [],
      want,
      recover: 0,
      release: [],
    });
  }

  async #work({ task, attempt }) {
    this.#running += 1;
    const result = await this.#options.handle(JSON.parse(Buffer.from(task.payload.inline).toString()));
    this.#running -= 1;
    this.#settle.push({ id: task.id, attempt, kind: "succeeded", result, releaseHold: false });
    this.#wake?.();
  }

  #rest(delayMs) {
    return new Promise((resolve) => {
      const wake = () => {
        this.#wake = undefined;
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(wake, delayMs);
      this.#wake = wake;
    });
  }
}
