import { describe, expect, it } from "vitest";
import { BandedBroker } from "../../sim/banded-broker.ts";
import type { CheckpointName } from "../../src/checkpoint.ts";
import { type ComposeLedgerOptions, composeLedger } from "../../src/composed-ledger/compose-ledger.ts";
import type { Grant } from "../../src/contracts/ledger.ts";
import type { Queue, TakeRequest } from "../../src/contracts/queue.ts";
import type { ClaimRequest, TaskStore } from "../../src/contracts/task-store.ts";
import { memoryQueue } from "../../src/memory/queue.ts";
import { memoryTaskStore } from "../../src/memory/task-store.ts";
import { ManualClock, settled } from "../discovery/manual-clock.ts";
import { brief, newTask, returned, succeeded, TestRunner, want } from "../support/tasks.ts";

const sweep = { limit: 100, unserved: [] };

/** Tries a call of the queue; what it returns takes the call's place. */
type Tamper = (method: string) => Promise<never> | undefined;

function open(options: Partial<ComposeLedgerOptions> & { tamper?: Tamper } = {}) {
  const { tamper = () => undefined, ...rest } = options;
  const clock = new ManualClock();
  const store = memoryTaskStore({ clock, random: () => 0.5 });
  const queue = memoryQueue({ clock });
  const awaits: CheckpointName[] = [];
  const takes: TakeRequest[] = [];
  const claims: ClaimRequest[] = [];
  const failures: string[] = [];
  const watchedQueue: Queue = {
    ...queue,
    enqueue: (batch, wait) => tamper("enqueue") ?? queue.enqueue(batch, wait),
    take: (request, wait) => {
      takes.push(request);
      return tamper("take") ?? queue.take(request, wait);
    },
    settle: (batch, wait) => tamper("settle") ?? queue.settle(batch, wait),
    remove: (ids, wait) => tamper("remove") ?? queue.remove(ids, wait),
    incarnation: (wait) => tamper("incarnation") ?? queue.incarnation(wait),
  };
  const watchedStore: TaskStore = {
    ...store,
    claim: (request, wait) => {
      claims.push(request);
      return store.claim(request, wait);
    },
  };
  const ledger = composeLedger(watchedStore, watchedQueue, {
    clock,
    checkpoint: (name, promise) => {
      awaits.push(name);
      return promise;
    },
    onQueueFailure: (operation) => failures.push(operation),
    ...rest,
  });
  const parts = { clock, store, queue, ledger, awaits, takes, claims, failures };
  return { ...parts, runner: new TestRunner(ledger), other: new TestRunner(ledger, "other") };
}

const unavailable: Tamper = () => Promise.reject(new Error("the queue is away"));

describe("the steps", () => {
  it("come in the order that loses nothing: the store first, then the queue", async () => {
    const { ledger, runner, awaits } = open();
    await ledger.submit([newTask("a"), newTask("b")]);
    const [a] = (await runner.grants(want("s", { max: 1 }))) as [Grant];
    await runner.exchange({ settle: [returned(a)] });
    await ledger.amend([
      { kind: "cancel", id: "a" },
      { kind: "reprioritise", id: "b", priority: 9, boostMs: 1 },
    ]);
    expect(awaits).toEqual([
      ...["ledger.insert", "ledger.enqueue-new"],
      ...["ledger.apply", "ledger.take", "ledger.claim", "ledger.settle-deliveries"],
      ...["ledger.apply", "ledger.enqueue-returned"],
      ...["ledger.amend", "ledger.requeue", "ledger.remove"],
    ]);
  });

  it("leave nothing in the queue of what was granted or ended", async () => {
    const { clock, ledger, runner, queue } = open();
    await ledger.submit([newTask("granted"), newTask("cancelled"), newTask("late", { waitMs: 5 })]);
    await runner.grants(want("s", { max: 1 }));
    await ledger.amend([{ kind: "cancel", id: "cancelled" }]);
    await clock.advance(5);
    await ledger.sweep(sweep);
    expect(await queue.stats()).toEqual({ waiting: 1, delivered: 0 });
    expect((await ledger.stats()).lanes).toMatchObject([{ model: "m", waiting: 1, waitingBytes: 2 }]);
  });
});

describe("taking", () => {
  it("asks for no more than can start now, and for no lane without room", async () => {
    const { ledger, runner, takes } = open();
    await ledger.submit(Array.from({ length: 9 }, (_, at) => newTask(`t${at}`)));
    await runner.grants(
      want("s", { limit: 3, max: 2, models: ["m", "n"] }),
      want("t", { limit: 3, max: 0, models: ["x"], background: false }),
    );
    expect(takes).toEqual([
      {
        lanes: [
          { lane: "m", background: false, max: 2 },
          { lane: "n", background: false, max: 2 },
          { lane: "m", background: true, max: 1 },
          { lane: "n", background: true, max: 1 },
        ],
        max: 3,
        visibilityMs: 10_000,
      },
    ]);
    await runner.grants(want("s", { limit: 2, background: false }));
    expect(takes).toHaveLength(1);
  });

  it("goes on to other lanes when some that share a server had more to give than it takes", async () => {
    const { ledger, runner, queue } = open();
    await ledger.submit(["a", "b", "c"].map((model) => newTask(model, { model, priority: 9 })));
    await ledger.submit([newTask("free", { model: "d", priority: 0 })]);
    const wants = [
      want("s", { limit: 1, models: ["a", "b", "c"], background: false }),
      want("t", { limit: 1, models: ["d"], background: false }),
    ];
    expect(brief(await runner.grants(...wants))).toEqual(["a@s#1", "free@t#1"]);
    expect(await queue.stats()).toEqual({ waiting: 2, delivered: 0 });
  });

  it("claims a task once that is delivered twice in one take, and ends both deliveries", async () => {
    const clock = new ManualClock();
    const store = memoryTaskStore({ clock });
    const queue = new BandedBroker(clock).client();
    const claims: number[] = [];
    const claim: TaskStore["claim"] = (request, wait) => {
      claims.push(request.claims.length);
      return store.claim(request, wait);
    };
    const ledger = composeLedger({ ...store, claim }, queue, { clock });
    const runner = new TestRunner(ledger);
    await ledger.submit([newTask("a"), newTask("b")]);
    for (const id of ["a", "a", "b"])
      await queue.enqueue([{ id, lane: "m", background: false, rank: 0, delayMs: 0 }]);
    expect(brief(await runner.grants(want("s", { limit: 9 })))).toEqual(["a@s#1", "b@s#1"]);
    expect([claims, await queue.stats()]).toMatchObject([[2, 1], { waiting: 0, delivered: 0 }]);
  });

  it("never asks a queue whose entries are not keyed to find one", async () => {
    const clock = new ManualClock();
    const queue = new BandedBroker(clock).client();
    const failures: string[] = [];
    const ledger = composeLedger(memoryTaskStore({ clock }), queue, {
      clock,
      onQueueFailure: (operation, error) => failures.push(`${operation} ${String(error)}`),
    });
    const runner = new TestRunner(ledger);
    await ledger.submit([newTask("a"), newTask("b"), newTask("c", { waitMs: 5 })]);
    await ledger.amend([{ kind: "cancel", id: "a" }]);
    await clock.advance(30_000);
    for (let round = 0; round < 5; round += 1) {
      await ledger.sweep(sweep);
      await clock.advance(15_000);
    }
    expect([brief(await runner.grants(want("s"))), failures]).toEqual([["b@s#1"], []]);
  });

  it("passes over entries of tasks that are gone, or are delayed, and takes others instead", async () => {
    const { clock, ledger, store, runner, queue } = open();
    await ledger.submit(["gone", "later", "now"].map((id, at) => newTask(id, { priority: 9 - at })));
    await store.amend([{ kind: "cancel", id: "gone" }]);
    const [grant] = (await runner.grants(want("s", { max: 1 }))) as [Grant];
    expect(grant.task.id).toBe("later");
    await runner.exchange({ settle: [returned(grant, { delayMs: 500 })] });
    await queue.enqueue([{ id: "later", lane: "m", background: false, rank: -1e9, delayMs: 0 }]);
    const reply = await runner.exchange({ want: [want("s", { max: 1 })] });
    expect([brief(reply.grants), reply.nextDueInMs]).toEqual([["now@s#1"], 500]);
    await clock.advance(500);
    expect(brief(await runner.grants(want("s")))).toEqual(["later@s#2"]);
    expect((await queue.stats()).waiting).toBe(0);
  });

  it("takes another server when the chosen one turns out to be full, but never beyond its max", async () => {
    const { ledger, store, claims } = open();
    await ledger.submit(["a", "b", "c"].map((id) => newTask(id)));
    // Between the two steps of one exchange somebody else takes the slot of `s`.
    const claim = store.claim.bind(store);
    let isFirst = true;
    const racing: TaskStore = {
      ...store,
      async claim(request, wait) {
        if (isFirst) {
          isFirst = false;
          await store.apply({
            ...{ runner: "x", incarnation: "x", sequence: 1, acknowledged: 0, leaseMs: 9000, recover: 0 },
            ...{ settle: [], renew: [], release: [], servers: [] },
          });
          const rival = { id: "c", servers: [{ server: "s", limit: 1 }] };
          await claim({ runner: "x", incarnation: "x", sequence: 1, leaseMs: 9000, claims: [rival] });
        }
        claims.push(request);
        return await claim(request, wait);
      },
    };
    const queue = memoryQueue({ clock: new ManualClock() });
    await queue.enqueue(["a", "b"].map((id) => ({ id, lane: "m", background: false, rank: 0, delayMs: 0 })));
    const racer = new TestRunner(composeLedger(racing, queue));
    const wants = [want("s", { limit: 1 }), want("t", { limit: 5, max: 2, cost: 9 })];
    expect(brief((await racer.exchange({ want: wants })).grants)).toEqual(["a@t#1", "b@t#1"]);
    expect(claims[0]?.claims.map(({ servers }) => servers.map(({ server }) => server))).toEqual([
      ["s", "t"],
      ["t"],
    ]);
  });

  it("asks a server no more in one exchange that turned out to be full", async () => {
    const parts = open();
    await parts.ledger.submit([newTask("a"), newTask("other", { model: "n", priority: 0 })]);
    const full = composeLedger(
      { ...parts.store, claim: async ({ claims }) => claims.map(() => ({ outcome: "full" })) },
      {
        ...parts.queue,
        take: (request) => {
          parts.takes.push(request);
          return parts.queue.take(request);
        },
      },
    );
    const wants = [
      want("s", { limit: 3, background: false }),
      want("t", { limit: 3, models: ["n"], background: false }),
    ];
    expect((await new TestRunner(full).exchange({ want: wants })).grants).toEqual([]);
    expect(parts.takes).toHaveLength(1);
    expect(await parts.queue.stats()).toEqual({ waiting: 2, delivered: 0 });
  });

  it("gives a repeated sequence what was claimed under it", async () => {
    const { ledger, runner } = open();
    await ledger.submit([newTask("a"), newTask("b")]);
    const request = runner.next({ want: [want("s", { max: 1 })] });
    const first = await ledger.exchange(request);
    expect((await ledger.exchange(request)).grants).toEqual(first.grants);
    expect(brief(first.grants)).toEqual(["a@s#1"]);
  });

  it("gives deliveries back when the claim fails", async () => {
    const parts = open({
      checkpoint: async (name, promise) => {
        await promise;
        if (name === "ledger.claim") throw new Error("the reply was lost");
        return await promise;
      },
    });
    await parts.ledger.submit([newTask("a")]);
    await expect(parts.runner.exchange({ want: [want("s")] })).rejects.toThrow("the reply was lost");
    expect(await parts.queue.stats()).toEqual({ waiting: 1, delivered: 0 });
    parts.runner.sequence -= 1;
    expect(brief((await parts.runner.exchange({ want: [want("s")] })).grants)).toEqual(["a@s#1"]);
  });
});

describe("a queue that fails", () => {
  it("fails no call, and everything goes on, grants out of the store", async () => {
    let isAway = false;
    const parts = open({ tamper: (method) => (isAway ? unavailable(method) : undefined), pageSize: 2 });
    const { ledger, runner, other, failures } = parts;
    await ledger.submit([newTask("a"), newTask("b", { priority: 4 })]);
    // The refill of the start is over.
    while ((await ledger.sweep(sweep)).more);
    const [a, b] = (await runner.grants(want("s"))) as [Grant, Grant];
    isAway = true;
    const more = [newTask("c", { priority: 2 }), newTask("d"), newTask("e", { priority: 3 })];
    expect((await ledger.submit(more)).map(({ outcome }) => outcome)).toEqual(more.map(() => "accepted"));
    const reply = await runner.exchange({
      settle: [succeeded(a), returned(b)],
      want: [want("s", { limit: 2, max: 2 })],
    });
    expect(reply.settled.map(({ outcome }) => outcome)).toEqual(["accepted", "accepted"]);
    expect(brief(reply.grants)).toEqual(["d@s#1", "b@s#2"]);
    expect((await ledger.amend([{ kind: "cancel", id: "c" }]))[0]?.outcome).toBe("done");
    expect((await ledger.sweep(sweep)).more).toBe(false);
    expect(failures).toEqual(["ledger.enqueue-new", "ledger.enqueue-returned", "ledger.remove", "reconcile"]);
    isAway = false;
    // The next sweep enqueues what is missing, without waiting for the comparison.
    while ((await ledger.sweep(sweep)).more);
    expect(parts.awaits.filter((name) => name === "ledger.list-due")).toHaveLength(1);
    expect(brief(await other.grants(want("s")))).toEqual(["e@s#1"]);
  });

  it("that hangs holds up one call for the time limit, and others not for a while", async () => {
    const parts = open({ tamper: () => new Promise<never>(() => {}), queueTimeoutMs: 300 });
    const { clock, ledger, runner, failures } = parts;
    const first = ledger.submit([newTask("a")]);
    await clock.advance(300);
    expect((await first)[0]?.outcome).toBe("accepted");
    expect(brief((await runner.exchange({ want: [want("s")] })).grants)).toEqual(["a@s#1"]);
    await ledger.submit([newTask("b")]);
    await clock.advance(1000);
    const exchange = runner.exchange({ want: [want("s")] });
    await clock.advance(300);
    expect(brief((await exchange).grants)).toEqual(["b@s#1"]);
    const swept = ledger.sweep(sweep);
    await clock.advance(300);
    expect((await swept).ended).toEqual([]);
    expect([failures, clock.pending]).toEqual([["ledger.enqueue-new", "ledger.take", "reconcile"], 0]);
  });

  it("grants no more from the store than there is room for, and no lane holds up another", async () => {
    const { ledger, runner } = open({
      tamper: (method) => (method === "take" ? unavailable(method) : undefined),
    });
    await ledger.submit(
      Array.from({ length: 20 }, (_, at) => newTask(`a${at}`, { priority: 9, model: "a" })),
    );
    await ledger.submit([newTask("b", { priority: 0, model: "b" }), newTask("train", { background: true })]);
    const wants = [
      want("s", { limit: 3, max: 2, models: ["a"] }),
      want("t", { limit: 5, models: ["b", "m"] }),
      want("u", { limit: 2, models: ["m"] }),
    ];
    expect(brief(await runner.grants(...wants))).toEqual(["a0@s#1", "a1@s#1", "train@t#1", "b@t#1"]);
  });

  it("does not keep an abort waiting", async () => {
    const parts = open({
      tamper: (method) => (method === "take" ? new Promise<never>(() => {}) : undefined),
    });
    const controller = new AbortController();
    const reason = new Error("enough");
    const exchange = parts.ledger.exchange(parts.runner.next({ want: [want("s")] }), {
      signal: controller.signal,
    });
    const rejected = expect(exchange).rejects.toBe(reason);
    await settled();
    controller.abort(reason);
    await rejected;
    expect([parts.failures, parts.clock.pending]).toEqual([[], 0]);
  });
});

describe("capabilities, options and close", () => {
  it("says what both parts can", () => {
    const queue: Queue = { ...memoryQueue(), capabilities: { order: "bands", shared: true, keyed: true } };
    const store: TaskStore = { ...memoryTaskStore(), capabilities: { durable: true, shared: true } };
    expect(composeLedger(store, queue).capabilities).toEqual({
      order: "bands",
      shared: true,
      durable: true,
      inOrder: false,
    });
    expect(composeLedger(store, memoryQueue()).capabilities).toEqual({
      order: "exact",
      inOrder: false,
      shared: false,
      durable: true,
    });
  });

  it("closes itself only", async () => {
    const { ledger, store, queue } = open();
    await ledger.close();
    await expect(ledger.stats()).rejects.toMatchObject({ code: "CLOSED" });
    expect([await store.stats(), await queue.stats()]).toEqual([
      { lanes: [], scheduled: 0, running: 0 },
      { waiting: 0, delivered: 0 },
    ]);
  });

  it("refuses options out of range", () => {
    for (const options of [{ visibilityMs: 0 }, { queueTimeoutMs: Number.NaN }, { pageSize: 1001 }]) {
      expect(() => open(options)).toThrow(expect.objectContaining({ code: "INVALID_OPTIONS" }));
    }
  });
});
