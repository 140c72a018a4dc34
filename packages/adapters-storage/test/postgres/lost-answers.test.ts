import type { ApplyRequest, ClaimOutcome, ClaimRequest, Ledger, TaskStore } from "@modelgate/core";
import { expect, it, onTestFinished } from "vitest";
import { exchangeOf, newTask, want } from "../sqlite/store-fixture.ts";
import { type TcpProxy, tcpProxy } from "../support/tcp-proxy.ts";
import { ask, errorOf, newSchema, onEachServer, openStore } from "./servers.ts";

interface Setting {
  readonly proxy: TcpProxy;
  /** Reaches the server through the proxy, which may lose what the server answers. */
  readonly ledger: Ledger;
  readonly tasks: TaskStore;
  /** Reaches it directly, and tells the truth. */
  readonly witness: Ledger;
  readonly schema: string;
}

async function setting(url: string): Promise<Setting> {
  const proxy = await tcpProxy(url);
  onTestFinished(() => proxy.close());
  const schema = newSchema(url);
  const { ledger, tasks } = openStore({ url: proxy.through(url), schema, connectTimeoutMs: 1_000 });
  const { ledger: witness } = openStore({ url, schema });
  await ledger.stats();
  return { proxy, ledger, tasks, witness, schema };
}

async function idsOf(ledger: Ledger): Promise<string[]> {
  return (await ledger.list()).items.map(({ id }) => id);
}

function applyOf(sequence: number, fields: Partial<ApplyRequest> = {}): ApplyRequest {
  const { want: _, ...request } = exchangeOf(sequence);
  return { ...request, servers: ["s"], ...fields };
}

function claimOf(sequence: number, ...ids: readonly string[]): ClaimRequest {
  const { runner, incarnation, leaseMs } = exchangeOf(sequence);
  const claims = ids.map((id) => ({ id, servers: [{ server: "s", limit: 4 }] }));
  return { runner, incarnation, sequence, leaseMs, claims };
}

function granted(outcomes: readonly ClaimOutcome[]): string[] {
  return outcomes.map((item) => {
    if (item.outcome !== "granted") return item.outcome;
    const { task, attempt } = item.grant;
    return `${task.id}#${attempt} ${Buffer.from(task.payload.inline ?? []).toString()}`;
  });
}

const AGAIN = 2;
const RIVAL = { runner: "rival", incarnation: "r" };
const IDEMPOTENCY = { key: "k", digest: "d", keepMs: 60_000 };

onEachServer("a commit whose answer is lost", (url) => {
  it("of a submission is found again, so that its sender sees no failure and there is one task", async () => {
    const { proxy, ledger, witness } = await setting(url);
    proxy.commitsToLose = 1;
    const outcomes = await Promise.all([
      ledger.submit([newTask("t1"), newTask("t2", { idempotency: IDEMPOTENCY })]),
      ledger.submit([newTask("t3")]),
    ]);
    expect(proxy.commitsToLose).toBe(0);
    expect(outcomes.flat().map(({ outcome }) => outcome)).toEqual(["accepted", "accepted", "accepted"]);
    expect((await idsOf(witness)).sort()).toEqual(["t1", "t2", "t3"]);
    expect((await witness.stats()).lanes).toMatchObject([{ model: "m", waiting: 3, waitingBytes: 15 }]);
  });

  it("of a submission, and of its repetition, is told as such, and its sender may repeat it", async () => {
    const { proxy, ledger, witness } = await setting(url);
    for (const [id, ...others] of [
      [newTask("t1")],
      [newTask("t2", { idempotency: IDEMPOTENCY }), newTask("another", { idempotency: IDEMPOTENCY })],
    ] as const) {
      proxy.commitsToLose = AGAIN;
      const error = await errorOf(ledger.submit([id]));
      expect([error.code, error.retryable, proxy.commitsToLose]).toEqual(["STORE_UNAVAILABLE", true, 0]);
      expect((await ledger.submit([id]))[0]).toMatchObject({
        outcome: "accepted",
        task: { id: id.id, attempt: 0 },
      });
      for (const other of others) {
        const [outcome] = await ledger.submit([other]);
        expect(outcome).toMatchObject({ outcome: "duplicate", task: { id: id.id } });
      }
    }
    expect((await idsOf(witness)).sort()).toEqual(["t1", "t2"]);
    expect((await witness.stats()).lanes).toMatchObject([{ model: "m", waiting: 2, waitingBytes: 10 }]);
  });

  it("of an exchange is found again: the same grants, once, and nobody else gets them", async () => {
    const { proxy, ledger, witness } = await setting(url);
    await ledger.submit(["t1", "t2", "t3"].map((id) => newTask(id)));
    proxy.commitsToLose = 1;
    const { grants } = await ledger.exchange(exchangeOf(1, { want: [want("s", { max: 2 })] }));
    expect(grants.map(({ task, attempt }) => `${task.id}#${attempt}`)).toEqual(["t1#1", "t2#1"]);
    expect(grants.map(({ task }) => Buffer.from(task.payload.inline ?? []).toString())).toEqual([
      "hello",
      "hello",
    ]);
    const rival = await witness.exchange(exchangeOf(1, { ...RIVAL, want: [want("s")] }));
    expect(rival.grants.map(({ task, attempt }) => `${task.id}#${attempt}`)).toEqual(["t3#1"]);
    expect(await witness.stats()).toEqual({ lanes: [], scheduled: 3, running: 0 });
  });

  it("of an exchange, told as such, gives its grants to who repeats it, and to nobody meanwhile", async () => {
    const { proxy, ledger, witness } = await setting(url);
    await ledger.submit([newTask("t1")]);
    proxy.commitsToLose = AGAIN;
    const request = exchangeOf(1, { want: [want("s")] });
    expect((await errorOf(ledger.exchange(request))).code).toBe("STORE_UNAVAILABLE");
    const rival = await witness.exchange(exchangeOf(1, { ...RIVAL, want: [want("s"), want("other")] }));
    expect(rival.grants).toEqual([]);
    const { grants } = await ledger.exchange(request);
    expect(grants).toMatchObject([
      { kind: "run", attempt: 1, server: "s", task: { id: "t1", state: "scheduled" } },
    ]);
  });

  it("of an exchange that nobody repeats goes back, with the next one or after the lease, never twice", async () => {
    const { proxy, ledger, witness } = await setting(url);
    await ledger.submit([newTask("t1")]);
    proxy.commitsToLose = AGAIN;
    await errorOf(ledger.exchange(exchangeOf(1, { want: [want("s")] })));
    const next = await ledger.exchange(exchangeOf(2, { acknowledged: 0, want: [want("s")], leaseMs: 300 }));
    expect(next.grants.map(({ task, attempt }) => [task.id, attempt])).toEqual([["t1", 2]]);

    const settle = [
      { kind: "returned", id: "t1", attempt: 2, counts: false, delayMs: 0, releaseHold: true },
    ] as const;
    proxy.commitsToLose = AGAIN;
    const lost = exchangeOf(3, { settle, want: [want("s")], leaseMs: 300 });
    expect((await errorOf(ledger.exchange(lost))).code).toBe("STORE_UNAVAILABLE");
    const rival = (sequence: number): ReturnType<Ledger["exchange"]> =>
      witness.exchange(exchangeOf(sequence, { ...RIVAL, want: [want("s")] }));
    expect((await rival(1)).grants).toEqual([]);
    await expect
      .poll(async () => (await witness.sweep({ limit: 10, unserved: [] })).returned.map(({ id }) => id))
      .toEqual(["t1"]);
    const { grants } = await rival(2);
    expect(grants.map(({ task, attempt }) => [task.id, attempt])).toEqual([["t1", 4]]);
    // Who comes back now is told whose it is, and gets nothing.
    const back = await ledger.exchange(lost);
    expect([back.settled, back.grants]).toEqual([[{ outcome: "stale", attempt: 4, state: "scheduled" }], []]);
  });

  it("of an ending is found again, and the result is there once", async () => {
    const { proxy, ledger, witness, schema } = await setting(url);
    await ledger.submit([newTask("t1"), newTask("t2")]);
    await ledger.exchange(exchangeOf(1, { want: [want("s")] }));
    const result = { sizeBytes: 2, inline: new Uint8Array([7, 8]) };
    const settle = ["t1", "t2"].map((id) => {
      return { kind: "succeeded", id, attempt: 1, result, releaseHold: true } as const;
    });
    proxy.commitsToLose = 1;
    const [one, other] = settle.map((item) => [item]);
    expect((await ledger.exchange(exchangeOf(2, { settle: one ?? [] }))).settled).toEqual([
      { outcome: "accepted" },
    ]);
    proxy.commitsToLose = AGAIN;
    await errorOf(ledger.exchange(exchangeOf(3, { settle: other ?? [] })));
    expect((await ledger.exchange(exchangeOf(3, { settle: other ?? [] }))).settled).toEqual([
      { outcome: "accepted" },
    ]);
    const ended = await witness.get(["t1", "t2"], { bodies: "result" });
    expect(ended.map((task) => [task?.state, [...(task?.result?.inline ?? [])]])).toEqual([
      ["succeeded", [7, 8]],
      ["succeeded", [7, 8]],
    ]);
    expect(await ask(url, `SELECT count(*)::integer FROM ${schema}.results`)).toEqual([{ count: 2 }]);
    expect(await ask(url, `SELECT count(*)::integer FROM ${schema}.live`)).toEqual([{ count: 0 }]);
  });

  it("of a claim is found again, and what another claim of the sequence was granted is gone", async () => {
    const { proxy, tasks, witness } = await setting(url);
    await tasks.insert(["t1", "t2", "t3"].map((id) => newTask(id)));
    await tasks.apply(applyOf(1));
    expect(granted(await tasks.claim(claimOf(1, "t1")))).toEqual(["t1#1 hello"]);
    proxy.commitsToLose = 1;
    const outcomes = await tasks.claim(claimOf(1, "t1", "t2", "t3", "t2"));
    expect(proxy.commitsToLose).toBe(0);
    expect(granted(outcomes)).toEqual(["gone", "t2#1 hello", "t3#1 hello", "gone"]);
    expect(await witness.stats()).toEqual({ lanes: [], scheduled: 3, running: 0 });
  });

  it("of a claim that is decided at once is found again", async () => {
    const { proxy, tasks, witness } = await setting(url);
    await tasks.insert(["t1", "t2"].map((id) => newTask(id)));
    await tasks.apply(applyOf(1));
    proxy.commitsToLose = 1;
    const outcomes = await tasks.claim(claimOf(1, "t1", "nobody", "t2"));
    expect(proxy.commitsToLose).toBe(0);
    expect(granted(outcomes)).toEqual(["t1#1 hello", "gone", "t2#1 hello"]);
    expect(await witness.stats()).toEqual({ lanes: [], scheduled: 2, running: 0 });
  });

  it("of a claim, told as such, is remembered under its sequence, and goes back with the next", async () => {
    const { proxy, tasks } = await setting(url);
    await tasks.insert([newTask("t1")]);
    await tasks.apply(applyOf(1));
    proxy.commitsToLose = AGAIN;
    expect((await errorOf(tasks.claim(claimOf(1, "t1")))).code).toBe("STORE_UNAVAILABLE");
    const again = await tasks.apply(applyOf(1));
    expect([again.repeated, granted(again.grants.map((grant) => ({ outcome: "granted", grant })))]).toEqual([
      true,
      ["t1#1 hello"],
    ]);
    const next = await tasks.apply(applyOf(2, { acknowledged: 0 }));
    expect([next.used, next.returned.map(({ id }) => id)]).toEqual([{ s: 0 }, ["t1"]]);
    expect(granted(await tasks.claim(claimOf(2, "t1")))).toEqual(["t1#2 hello"]);
  });

  it("of an apply that ends tasks is found again", async () => {
    const { proxy, tasks } = await setting(url);
    await tasks.insert([newTask("t1")]);
    await tasks.apply(applyOf(1));
    await tasks.claim(claimOf(1, "t1"));
    const result = { sizeBytes: 2, inline: new Uint8Array([7, 8]) };
    const settle = [{ kind: "succeeded", id: "t1", attempt: 1, result, releaseHold: true }] as const;
    proxy.commitsToLose = 1;
    const reply = await tasks.apply(applyOf(2, { settle }));
    expect([proxy.commitsToLose, reply.settled, reply.used]).toEqual([
      0,
      [{ outcome: "accepted" }],
      { s: 0 },
    ]);
    const [task] = await tasks.get(["t1"], { bodies: "result" });
    expect([task?.state, [...(task?.result?.inline ?? [])]]).toEqual(["succeeded", [7, 8]]);
  });

  it("of a cancel or a sweep changes nothing twice", async () => {
    const { proxy, ledger, witness } = await setting(url);
    await ledger.submit([newTask("t1"), newTask("t2", { waitMs: 1 }), newTask("t3")]);
    proxy.commitsToLose = 1;
    const [amended] = await ledger.amend([{ kind: "cancel", id: "t1" }]);
    expect(amended?.task?.state).toBe("cancelled");
    proxy.commitsToLose = 1;
    await ledger.sweep({ limit: 10, unserved: [] });
    expect(proxy.commitsToLose).toBe(0);
    const tasks = await witness.get(["t1", "t2", "t3"]);
    expect(tasks.map((task) => task?.state)).toEqual(["cancelled", "failed", "pending"]);
    expect((await witness.stats()).lanes).toMatchObject([{ model: "m", waiting: 1, waitingBytes: 5 }]);
  });
});
