import { setTimeout as sleep } from "node:timers/promises";
import { type ExchangeReply, GatewayError, type Ledger, type Settlement } from "@modelgate/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exchangeOf, newTask, want } from "../sqlite/store-fixture.ts";
import { requireService } from "../support/services.ts";
import { type OwnServer, ownServer } from "./own-server.ts";
import { ask, newSchema, openStore, unique } from "./servers.ts";

const STATEMENT_MS = 500;
const CONNECT_MS = 500;

/** The server's own limit, a grace after which it is given up, and connecting anew. */
const CALL_MS = CONNECT_MS + STATEMENT_MS + 5_000;
const PAUSE_MS = CALL_MS + 3_000;

/** Some calls are two transactions, and some machines are slow. */
const LONGEST_MS = 2 * CALL_MS + 5_000;

/** How many calls of each kind go on side by side. */
const AT_ONCE = 4;

const needed = requireService("PG18_URL");

describe.skipIf(needed === undefined)("while a server is away", () => {
  let server: OwnServer;
  beforeAll(async () => {
    server = await ownServer({ version: 18 });
  });
  afterAll(() => server.close());

  it.each<[what: string, outage: (load: Load) => Promise<void>]>([
    ["is restarted", async () => await server.restart()],
    [
      "is killed and started",
      async () => {
        await server.kill();
        await sleep(300);
        await server.restart();
      },
    ],
    [
      "does not answer for longer than any statement may take",
      async (load) => {
        await server.pause();
        await sleep(PAUSE_MS);
        // Who was waiting when it began has been told long since.
        const { failed, oldestMs } = load;
        await server.resume();
        expect(failed).toBeGreaterThan(0);
        expect(oldestMs).toBeLessThan(PAUSE_MS - 1_000);
      },
    ],
  ])(
    "that %s, every call ends, and nothing that was accepted is lost",
    { timeout: 60_000 },
    async (_what, outage) => {
      const applicationName = unique("load");
      const schema = newSchema(server.url);
      const limits = { connectTimeoutMs: CONNECT_MS, statementTimeoutMs: STATEMENT_MS };
      const store = openStore({ url: server.url, schema, applicationName, ...limits });
      await store.ledger.stats();
      const load = new Load(store.ledger);
      await sleep(500);
      const before = load.accepted.size;
      expect(before).toBeGreaterThan(AT_ONCE);
      await outage(load);
      await expect.poll(() => load.isBack(), { timeout: 15_000 }).toBe(true);
      await load.stop();

      expect(load.unexpected).toEqual([]);
      expect(load.failed).toBeGreaterThan(0);
      expect(load.longestMs).toBeLessThan(LONGEST_MS);
      expect(load.accepted.size).toBeGreaterThan(before);
      // A witness of its own, so that nothing is believed that the first store remembers.
      const witness = openStore({ url: server.url, schema }).ledger;
      const found = await witness.get([...load.accepted]);
      expect(found.filter((task) => task === undefined)).toEqual([]);
      const ended = await witness.get([...load.ended]);
      expect(new Set(ended.map((task) => task?.state))).toEqual(new Set(["succeeded"]));
      await load.drain();
      const states = `SELECT count(*)::integer FROM ${schema}`;
      expect(await ask(server.url, `${states}.live`)).toEqual([{ count: 0 }]);
      expect(await ask(server.url, `SELECT sum(waiting) FROM ${schema}.lanes`)).toEqual([{ sum: 0 }]);
      const [count] = await ask(server.url, `${states}.ended`);
      expect(count?.["count"]).toBeGreaterThanOrEqual(load.accepted.size);
      // No connection is left over beside those that the pool may have.
      const text = `SELECT pid FROM pg_stat_activity WHERE application_name = $1`;
      expect((await ask(server.url, text, [applicationName])).length).toBeLessThanOrEqual(10);
    },
  );
});

/** Submits, and runs what it submitted, from several runners at once, until it is stopped. */
class Load {
  readonly accepted = new Set<string>();
  readonly ended = new Set<string>();
  readonly unexpected: unknown[] = [];
  failed = 0;
  readonly #since = new Set<number>();
  longestMs = 0;
  readonly #ledger: Ledger;
  readonly #done: Promise<void>[];
  #isStopped = false;
  /** Since the last failure. */
  #good = { submits: 0, exchanges: 0 };

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
    const each = Array.from({ length: AT_ONCE }, (_, index) => index);
    this.#done = each.flatMap((index) => [this.#submit(index), this.#run(`r${index}`)]);
  }

  /** How long the oldest call that has not ended has been made. */
  get oldestMs(): number {
    return performance.now() - Math.min(performance.now(), ...this.#since);
  }

  /** Whether every kind of call works again. */
  isBack(): boolean {
    return this.failed > 0 && this.#good.submits > 20 && this.#good.exchanges > 20;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#done);
  }

  /** Ends whatever still waits or is held. */
  async drain(): Promise<void> {
    let settle: Settlement[] = [];
    for (let sequence = 1; ; sequence += 1) {
      const wanted = want("drain", { limit: 1_000, max: 1_000 });
      const part = exchangeOf(sequence, { runner: "drain", settle, want: [wanted] });
      settle = settlementsOf(await this.#ledger.exchange(part));
      await this.#ledger.sweep({ limit: 1_000, unserved: [] });
      const { lanes, scheduled } = await this.#ledger.stats();
      if (settle.length === 0 && lanes.length === 0 && scheduled === 0) return;
      await sleep(50);
    }
  }

  async #submit(index: number): Promise<void> {
    for (let count = 0; !this.#isStopped; count += 1) {
      const id = `t${index}-${count}`;
      const reply = await this.#call("submits", () => this.#ledger.submit([newTask(id)]));
      if (reply?.[0]?.outcome === "accepted") this.accepted.add(id);
    }
  }

  /** One runner: a call whose reply was lost is repeated until there is one. */
  async #run(runner: string): Promise<void> {
    let settle: Settlement[] = [];
    for (let sequence = 1; !this.#isStopped; sequence += 1) {
      const request = exchangeOf(sequence, { runner, settle, want: [want(runner)], leaseMs: 2_000 });
      let reply: ExchangeReply | undefined;
      while (reply === undefined && !this.#isStopped)
        reply = await this.#call("exchanges", () => this.#ledger.exchange(request));
      reply?.settled.forEach(({ outcome }, at) => {
        const id = settle[at]?.id ?? "";
        if (outcome === "accepted") this.ended.add(id);
      });
      settle = reply === undefined ? [] : settlementsOf(reply);
    }
  }

  async #call<T>(kind: "submits" | "exchanges", call: () => Promise<T>): Promise<T | undefined> {
    const begun = performance.now();
    this.#since.add(begun);
    try {
      const value = await call();
      this.#good[kind] += 1;
      return value;
    } catch (error) {
      this.failed += 1;
      this.#good = { submits: 0, exchanges: 0 };
      if (!GatewayError.is(error, "STORE_UNAVAILABLE")) this.unexpected.push(error);
      await sleep(20);
      return undefined;
    } finally {
      this.#since.delete(begun);
      this.longestMs = Math.max(this.longestMs, performance.now() - begun);
    }
  }
}

function settlementsOf({ grants }: ExchangeReply): Settlement[] {
  const result = { sizeBytes: 1, inline: new Uint8Array([1]) };
  return grants.map(({ task: { id }, attempt }) => ({
    kind: "succeeded",
    id,
    attempt,
    result,
    releaseHold: true,
  }));
}
