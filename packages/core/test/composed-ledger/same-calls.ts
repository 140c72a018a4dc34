import type {
  Amendment,
  ExchangeReply,
  ExchangeRequest,
  Grant,
  HoldRef,
  Ledger,
  NewTask,
  RenewRef,
  Settlement,
} from "../../src/contracts/ledger.ts";
import type { MemoryQueue } from "../../src/memory/queue.ts";
import type { ManualClock } from "../discovery/manual-clock.ts";
import { newTask, RESULT, TestRunner, want } from "../support/tasks.ts";

const MODELS = ["a", "b", "c", "d", "e"];
const SERVERS = [
  { server: "s0", limit: 2, models: ["a", "b"], cost: 1 },
  { server: "s1", limit: 3, models: ["a", "c"], cost: 0 },
  { server: "s2", limit: 1, models: ["c", "d"], cost: 0 },
  { server: "s3", limit: 2, models: ["a", "b", "d"], cost: 2 },
];

interface Pair {
  readonly oracle: Ledger;
  readonly composed: Ledger;
  readonly queue: MemoryQueue;
  readonly clock: ManualClock;
  readonly random: () => number;
  readonly expectSame: (composed: unknown, oracle: unknown, what: string) => void;
}

/** A runner that holds what it was granted, as far as it knows. */
interface Holder {
  readonly runner: TestRunner;
  grants: Grant[];
  orphans: readonly HoldRef[];
  lastRequest: ExchangeRequest | undefined;
  incarnations: number;
}

/** Makes the same random calls of two ledgers and holds their answers against each other. */
export class SameCalls {
  readonly counts: Record<string, number> = {};
  readonly #pair: Pair;
  readonly #ids: string[] = [];
  readonly #holders: Holder[];

  constructor(pair: Pair) {
    this.#pair = pair;
    this.#holders = ["r0", "r1", "r2"].map((name) => {
      const runner = new TestRunner(pair.oracle, name);
      return { runner, grants: [], orphans: [], lastRequest: undefined, incarnations: 0 };
    });
  }

  async step(): Promise<void> {
    const roll = this.#pair.random();
    if (roll < 0.2) await this.#submit();
    else if (roll < 0.68) await this.#exchange(this.#pick(this.#holders));
    else if (roll < 0.73) await this.#repeat(this.#pick(this.#holders));
    else if (roll < 0.75) await this.#restart(this.#pick(this.#holders));
    else if (roll < 0.83) await this.#amend();
    else if (roll < 0.9) await this.#sweep();
    else if (roll < 0.91) await this.#loseQueue();
    else if (roll < 0.94) await this.#stats();
    else await this.#pair.clock.advance(this.#pick([1, 50, 400, 3000, 11_000]));
  }

  async compareRecords(): Promise<void> {
    const { oracle, composed, expectSame } = this.#pair;
    expectSame(await composed.stats(), await oracle.stats(), "stats");
    let cursor: string | undefined;
    do {
      const page = await oracle.list({ limit: 200, cursor });
      expectSame(await composed.list({ limit: 200, cursor }), page, "records");
      cursor = page.nextCursor;
    } while (cursor !== undefined);
  }

  async #both<T>(
    what: string,
    call: (ledger: Ledger) => Promise<T>,
    compared: (value: T) => unknown,
  ): Promise<T> {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
    const { oracle, composed, expectSame } = this.#pair;
    const told = await call(oracle);
    expectSame(compared(await call(composed)), compared(told), what);
    return told;
  }

  async #submit(): Promise<void> {
    const { random } = this.#pair;
    const batch = Array.from({ length: 1 + Math.floor(random() * 6) }, (): NewTask => {
      const isKnown = random() < 0.05 && this.#ids.length > 0;
      const id = isKnown ? this.#pick(this.#ids) : `t${this.#ids.length}`;
      if (!isKnown) this.#ids.push(id);
      return newTask(id, {
        model: this.#pick(MODELS),
        background: random() < 0.25,
        repeatable: random() < 0.6,
        priority: random() < 0.03 ? 99 : Math.floor(random() * 11),
        boostMs: 1000,
        waitMs: random() < 0.2 ? 20_000 : 86_400_000,
        maxFailures: 2,
        payload: { sizeBytes: 1, key: `in/${id}` },
      });
    });
    await this.#both(
      "submit",
      (ledger) => ledger.submit(batch),
      (outcomes) => outcomes.map(({ outcome }) => outcome),
    );
  }

  async #exchange(holder: Holder): Promise<void> {
    const { random } = this.#pair;
    const { settle, kept } = this.#settleSome(holder.grants);
    const renew = kept.map((grant): RenewRef => {
      return { id: grant.task.id, attempt: grant.attempt, sent: random() < 0.5 };
    });
    const wanted = SERVERS.filter(() => random() < 0.7).map((server) => {
      return want(server.server, {
        ...server,
        max: Math.floor(random() * (server.limit + 1)),
        background: random() < 0.8,
      });
    });
    const release = random() < 0.5 ? holder.orphans : [];
    const request = holder.runner.next({
      settle,
      renew,
      want: wanted,
      release,
      recover: random() < 0.3 ? 2 : 0,
    });
    holder.lastRequest = request;
    const reply = await this.#send(request);
    // Sometimes the reply is lost: the runner knows of none of the grants, and says so with its next request.
    if (random() < 0.15) {
      this.counts["lost reply"] = (this.counts["lost reply"] ?? 0) + 1;
      holder.grants = kept;
      return;
    }
    this.#takeNote(holder, request, reply, kept);
  }

  async #repeat(holder: Holder): Promise<void> {
    const request = holder.lastRequest;
    if (request === undefined || request.sequence !== holder.runner.sequence) return;
    await this.#send(request);
  }

  async #send(request: ExchangeRequest): Promise<ExchangeReply> {
    return await this.#both(
      "exchange",
      (ledger) => ledger.exchange(request),
      ({ nextDueInMs: _, grants, ...rest }) => ({
        ...rest,
        grants: grants.map(({ kind, attempt, server, task }) => ({ kind, attempt, server, id: task.id })),
      }),
    );
  }

  #takeNote(holder: Holder, request: ExchangeRequest, reply: ExchangeReply, kept: readonly Grant[]): void {
    holder.runner.acknowledged = reply.sequence;
    const lost = new Set<string>();
    request.renew.forEach(({ id }, at) => {
      const outcome = reply.renewed[at]?.outcome;
      if (outcome === "stale" || outcome === "unknown") lost.add(id);
    });
    holder.grants = [...kept.filter(({ task }) => !lost.has(task.id)), ...reply.grants];
    holder.orphans = reply.orphanHolds;
    this.counts["grants"] = (this.counts["grants"] ?? 0) + reply.grants.length;
  }

  #settleSome(grants: readonly Grant[]): { settle: Settlement[]; kept: Grant[] } {
    const { random } = this.#pair;
    const settle: Settlement[] = [];
    const kept: Grant[] = [];
    for (const grant of grants) {
      const ref = { id: grant.task.id, attempt: grant.attempt };
      const roll = random();
      const releaseHold = random() < 0.6;
      if (roll < 0.4) {
        kept.push(grant);
        if (roll < 0.1) settle.push({ ...ref, kind: "sent", server: grant.server });
        else if (roll < 0.2 && grant.task.background)
          settle.push({ ...ref, kind: "running", runId: `run-${ref.id}` });
      } else if (roll < 0.6) settle.push({ ...ref, kind: "succeeded", result: RESULT, releaseHold });
      else if (roll < 0.85) {
        const delayMs = random() < 0.5 ? 0 : Math.floor(random() * 2000);
        const error = { code: "SERVER_BUSY", message: "busy" };
        settle.push({ ...ref, kind: "returned", counts: random() < 0.4, delayMs, error, releaseHold });
      } else if (roll < 0.92) settle.push({ ...ref, kind: "cancelled", releaseHold });
      else if (roll < 0.96) settle.push({ ...ref, kind: "abandoned" });
      // The rest is forgotten, as by a crash of the attempt.
    }
    return { settle, kept };
  }

  async #restart(holder: Holder): Promise<void> {
    holder.incarnations += 1;
    holder.runner.restart(`incarnation-${holder.incarnations}`);
    holder.grants = [];
    await this.#exchange(holder);
  }

  async #amend(): Promise<void> {
    const { random } = this.#pair;
    if (this.#ids.length === 0) return;
    const batch = Array.from({ length: 3 }, (): Amendment => {
      const id = this.#pick(this.#ids);
      if (random() < 0.4) return { kind: "cancel", id };
      return { kind: "reprioritise", id, priority: Math.floor(random() * 11), boostMs: 1000 };
    });
    await this.#both(
      "amend",
      (ledger) => ledger.amend(batch),
      (outcomes) => outcomes,
    );
  }

  async #sweep(): Promise<boolean> {
    const unserved = this.#pair.random() < 0.1 ? ["e"] : [];
    const error = { code: "START_FAILED", message: "It could not be started.\0" };
    const failing = this.#pair.random() < 0.1 ? [{ model: this.#pick(["d", "e"]), error }] : undefined;
    const limit = this.#pair.random() < 0.2 ? 3 : 500;
    const retention = { payloadMs: 30_000, resultMs: 40_000, rowMs: 60_000 };
    let hasMore = false;
    await this.#both(
      "sweep",
      async (ledger) => {
        const swept = await ledger.sweep({ limit, unserved, failing, retention });
        if (ledger === this.#pair.composed) hasMore = swept.more;
        return swept;
      },
      // The composed one may have more of its own to do.
      ({ more: _, ...rest }) => rest,
    );
    return hasMore;
  }

  async #stats(): Promise<void> {
    await this.#both(
      "stats",
      (ledger) => ledger.stats(),
      (stats) => stats,
    );
  }

  async #loseQueue(): Promise<void> {
    this.counts["queue lost"] = (this.counts["queue lost"] ?? 0) + 1;
    this.#pair.queue.loseAll();
    while (await this.#sweep());
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#pair.random() * items.length)] as T;
  }
}
