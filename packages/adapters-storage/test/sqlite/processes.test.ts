import { GatewayError } from "@modelgate/core";
import { describe, expect, it } from "vitest";
import { isDead, ownMark } from "../../src/sqlite/engine/processes.ts";
import { startChild } from "./child-processes.ts";
import { exchangeOf, newDirectory, newTask, openStore, want } from "./store-fixture.ts";

const TIMEOUT = { timeout: 60_000 };

describe("several processes on one directory", () => {
  it("may all open it at once while it is new", TIMEOUT, async () => {
    const directory = await newDirectory();
    const children = await Promise.all(
      Array.from({ length: 10 }, (_, index) => startChild(directory, "open", `p${index}`)),
    );
    expect(await Promise.all(children.map(({ exited }) => exited))).toEqual(Array(10).fill(0));
    expect(children.map(({ lines }) => lines)).toEqual(Array(10).fill(["opened"]));
    const { store } = await openStore({ directory });
    expect((await store.ledger.stats()).lanes).toMatchObject([
      { model: "m", waiting: 10, waitingBytes: 130 },
    ]);
  });

  it("get on both, and never get the same attempt", TIMEOUT, async () => {
    const { store, directory } = await openStore();
    for (let batch = 0; batch < 20; batch += 1) {
      await store.ledger.submit(Array.from({ length: 1000 }, (_, index) => newTask(`t${batch}-${index}`)));
    }
    const children = [
      await startChild(directory, "claim", "4000"),
      await startChild(directory, "claim", "4000"),
    ];
    expect(await Promise.all(children.map(({ exited }) => exited))).toEqual([0, 0]);
    const reports = children.map(
      ({ lines }) => JSON.parse(lines.at(-1) ?? "{}") as { exchanges: number; granted: string[] },
    );
    const commits = reports.map(({ exchanges }) => exchanges);
    const all = commits.reduce((sum, each) => sum + each, 0);
    console.log(`commits of two busy processes: ${commits.join(" and ")}`);
    for (const each of commits) expect(each / all).toBeGreaterThanOrEqual(0.2);
    const granted = reports.flatMap((report) => report.granted);
    expect(new Set(granted).size).toBe(granted.length);
    expect(granted.length).toBeGreaterThan(100);
  });

  it("get on beside one that never stops writing", TIMEOUT, async () => {
    const directory = await newDirectory();
    const flood = await startChild(directory, "submit", "flood");
    await flood.line((line) => line.endsWith("-100"));
    const child = await startChild(directory, "claim", "3000");
    await child.line((line) => line === "ready");
    const before = flood.lines.length;
    expect(await child.exited).toBe(0);
    const { exchanges } = JSON.parse(child.lines.at(-1) ?? "{}") as { exchanges: number };
    // The flood has 8 calls in one commit or two.
    const commits = (flood.lines.length - before) / 8;
    console.log(`${exchanges} commits beside about ${Math.round(commits)} of a flood`);
    expect(exchanges / (exchanges + commits)).toBeGreaterThanOrEqual(0.2);
  });

  it("count a record up without losing a step", TIMEOUT, async () => {
    const { store, directory } = await openStore();
    const children = await Promise.all([1, 2, 3].map(() => startChild(directory, "count", "100")));
    expect(await Promise.all(children.map(({ exited }) => exited))).toEqual([0, 0, 0]);
    expect((await store.records.get("counter"))?.value).toBe(300);
  });
});

describe("a process that was killed", () => {
  it("loses nothing that it was told is accepted", TIMEOUT, async () => {
    const directory = await newDirectory();
    for (const round of ["a", "b", "c"]) {
      const child = await startChild(directory, "submit", round);
      await child.line((line) => line.endsWith("-400"));
      child.process.kill("SIGKILL");
      await child.exited;
      const ids = child.lines.map((line) => line.replace("accepted ", ""));
      const { store } = await openStore({ directory });
      const tasks = await store.ledger.get(ids, { bodies: "payload" });
      expect(tasks.map((task) => task?.id)).toEqual(ids);
      const texts = tasks.map((task) => new TextDecoder().decode(task?.payload.inline));
      expect(texts).toEqual(ids.map((id) => `payload of ${id}`));
      await store.close();
    }
  });

  it("gives back what it held at the next sweep, long before its lease ends", TIMEOUT, async () => {
    const { store, directory } = await openStore();
    await store.ledger.submit([newTask("t1"), newTask("t2", { model: "other" })]);
    const child = await startChild(directory, "hold");
    expect(await child.line((line) => line.startsWith("holds"))).toBe("holds t1");
    expect((await store.ledger.sweep({ limit: 10, unserved: [] })).returned).toEqual([]);

    child.process.kill("SIGSTOP");
    expect((await store.ledger.sweep({ limit: 10, unserved: [] })).returned).toEqual([]);

    child.process.kill("SIGKILL");
    await child.exited;
    const { returned } = await store.ledger.sweep({ limit: 10, unserved: [] });
    expect(returned.map(({ id, state, lostAttempts }) => [id, state, lostAttempts])).toEqual([
      ["t1", "pending", 1],
    ]);
  });

  it("gives back what it held when the store is opened", TIMEOUT, async () => {
    const directory = await newDirectory();
    const first = await openStore({ directory });
    await first.store.ledger.submit([newTask("t1")]);
    await first.store.close();
    const child = await startChild(directory, "hold");
    await child.line((line) => line === "holds t1");
    child.process.kill("SIGKILL");
    await child.exited;
    const { store } = await openStore({ directory });
    const reply = await store.ledger.exchange(exchangeOf(1, { runner: "other", want: [want("s")] }));
    expect(reply.grants.map(({ task, attempt }) => [task.id, attempt])).toEqual([["t1", 2]]);
  });

  it("is told from one that lives, was restarted or cannot be seen", () => {
    const mine = ownMark();
    expect(isDead(mine)).toBe(false);
    expect(isDead({ ...mine, started: "1" })).toBe(true);
    expect(isDead({ ...mine, boot: "another" })).toBe(true);
    expect(isDead({ ...mine, pid: 2 ** 22 + 1 })).toBe(true);
    expect(isDead({ ...mine, pid: 2 ** 22 + 1, namespace: "pid:[1]" })).toBe(false);
  });
});

describe("a worker thread", () => {
  for (const how of ["throw", "exit"] as const) {
    it(`that ends by ${how} takes no more than the calls under way`, TIMEOUT, async () => {
      const { store, client } = await openStore();
      await store.ledger.submit([newTask("t1")]);
      const ended = client.worker;
      // Of one message: what was to be written is committed, and nobody is told.
      const calls = [store.ledger.submit([newTask("t2")]), client.call(() => ({ op: "fail", how }))];
      for (const { reason } of (await Promise.allSettled(calls)) as PromiseRejectedResult[]) {
        expect(GatewayError.is(reason, "STORE_UNAVAILABLE")).toBe(true);
      }
      expect((await store.ledger.get(["t1"]))[0]?.state).toBe("pending");
      expect(client.worker).not.toBe(ended);
      expect((await store.ledger.submit([newTask("t2")]))[0]?.outcome).toBe("accepted");
      expect((await store.ledger.stats()).lanes).toMatchObject([
        { model: "m", waiting: 2, waitingBytes: 10 },
      ]);
    });
  }

  it("has ended by itself when the store is closed", TIMEOUT, async () => {
    const { store, client } = await openStore();
    await store.ledger.submit([newTask("t1")]);
    const exits: number[] = [];
    client.worker?.on("exit", (code) => exits.push(code));
    await store.close();
    expect(exits).toEqual([0]);
  });

  it("that something keeps from ending holds up a close for a moment only", TIMEOUT, async () => {
    const { store, client } = await openStore();
    await client.call(() => ({ op: "fail", how: "linger" }));
    await store.ledger.submit([newTask("t1")]);
    const begun = performance.now();
    await store.close();
    expect(performance.now() - begun).toBeLessThan(10_000);
    expect(client.worker).toBeUndefined();
  });

  it("is not ended in the middle of a transaction when its process exits", TIMEOUT, async () => {
    const directory = await newDirectory();
    const child = await startChild(directory, "exit");
    expect(await child.exited).toBe(7);
    const { store } = await openStore({ directory });
    expect((await store.ledger.stats()).lanes).toMatchObject([{ model: "m", waiting: 10_000 }]);
  });
});
