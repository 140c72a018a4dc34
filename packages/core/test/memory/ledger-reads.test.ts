import { describe, expect, it } from "vitest";
import type { Grant } from "../../src/contracts/ledger.ts";
import { memoryLedger } from "../../src/memory/ledger.ts";
import { ManualClock } from "../discovery/manual-clock.ts";
import { newTask, RESULT, succeeded, TestRunner, want } from "../support/tasks.ts";

function open() {
  const clock = new ManualClock();
  const ledger = memoryLedger({ clock, random: () => 0.5 });
  return { clock, ledger, runner: new TestRunner(ledger) };
}

const sweep = { limit: 100, unserved: [] };

describe("submit", () => {
  it("takes the good items of a batch and names what is wrong with the others", async () => {
    const { ledger } = open();
    const outcomes = await ledger.submit([
      newTask("good"),
      newTask("bad id!"),
      newTask("bad-priority", { priority: 11 }),
      newTask("bad-text", { owner: "a\0b" }),
    ]);
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(["accepted", "refused", "refused", "refused"]);
    expect(
      outcomes.slice(1).map((item) => item.outcome === "refused" && item.error.details["field"]),
    ).toEqual(["id", "priority", "owner"]);
  });

  it("is harmless when it is repeated, and refuses an id that is another task's", async () => {
    const { clock, ledger } = open();
    const [first] = await ledger.submit([newTask("a")]);
    await clock.advance(50);
    const again = await ledger.submit([newTask("a", { priority: 9 }), newTask("a", { model: "other" })]);
    expect(again[0]).toEqual(first);
    expect(again[1]).toMatchObject({ outcome: "refused", error: { code: "INVALID_REQUEST" } });
  });
});

describe("get", () => {
  it("gives inline bytes only to a reader who asks for them", async () => {
    const { ledger, runner } = open();
    await ledger.submit([newTask("a")]);
    const [grant] = (await runner.grants(want("s"))) as [Grant];
    expect(grant.task.payload.inline).toEqual(new Uint8Array([1, 2]));
    await runner.exchange({ settle: [succeeded(grant)] });
    const [none, unknown] = await ledger.get(["a", "b"]);
    expect([none?.payload.inline, none?.result?.inline, unknown]).toEqual([undefined, undefined, undefined]);
    expect((await ledger.get(["a"], { bodies: "payload" }))[0]?.payload.inline).toEqual(
      new Uint8Array([1, 2]),
    );
    expect((await ledger.get(["a"], { bodies: "result" }))[0]?.result?.inline).toEqual(RESULT.inline);
  });
});

describe("list", () => {
  it("meets every task once that was there during the whole walk, newest first", async () => {
    const { clock, ledger } = open();
    const ids = Array.from({ length: 25 }, (_, at) => `t${String(at).padStart(2, "0")}`);
    for (const id of ids) {
      await ledger.submit([newTask(id)]);
      if (Number(id.slice(1)) % 3 === 0) await clock.advance(1);
    }
    const met: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await ledger.list({ limit: 4, cursor });
      met.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor;
      // Newer ones come, and one that was met changes.
      await ledger.submit([newTask(`new-${met.length}`)]);
      await ledger.amend([{ kind: "cancel", id: met[0] as string }]);
    } while (cursor !== undefined);
    expect(met).toEqual(ids.toReversed());
  });

  it("filters, and rejects a cursor or a limit that cannot be", async () => {
    const { clock, ledger } = open();
    await ledger.submit([newTask("a", { owner: "me" }), newTask("b", { model: "other" })]);
    await clock.advance(10);
    await ledger.submit([newTask("c"), newTask("d", { operation: "redact" })]);
    await ledger.amend([{ kind: "cancel", id: "c" }]);
    const ids = async (filter: object) => (await ledger.list({ filter })).items.map(({ id }) => id);
    expect(await ids({ owner: "me" })).toEqual(["a"]);
    expect(await ids({ model: "m", states: ["pending"] })).toEqual(["d", "a"]);
    expect(await ids({ createdFromMs: 10 })).toEqual(["d", "c"]);
    expect(await ids({ createdBeforeMs: 10, operation: "process" })).toEqual(["b", "a"]);
    await expect(ledger.list({ cursor: "nonsense" })).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    await expect(ledger.list({ limit: 0 })).rejects.toMatchObject({ code: "INVALID_REQUEST" });
  });

  it("meets a task once whose id was forgotten and came again", async () => {
    const { clock, ledger } = open();
    await ledger.submit([newTask("again"), newTask("other")]);
    await ledger.amend([{ kind: "cancel", id: "again" }]);
    await ledger.sweep({ ...sweep, retention: { payloadMs: 0, resultMs: 0, rowMs: 0 } });
    await ledger.submit([newTask("again")]);
    expect((await ledger.list()).items.map(({ id }) => id)).toEqual(["other", "again"]);
    await ledger.amend([{ kind: "cancel", id: "again" }]);
    await ledger.sweep({ ...sweep, retention: { payloadMs: 0, resultMs: 0, rowMs: 0 } });
    await clock.advance(5);
    await ledger.submit([newTask("again")]);
    expect((await ledger.list()).items.map(({ id }) => id)).toEqual(["again", "other"]);
  });
});

describe("amend", () => {
  it("changes rank and priority of waiting tasks only", async () => {
    const { ledger, runner } = open();
    await ledger.submit([newTask("a"), newTask("b"), newTask("c")]);
    expect(
      (await ledger.amend([{ kind: "reprioritise", id: "c", priority: 9, boostMs: 1000 }]))[0],
    ).toMatchObject({
      outcome: "done",
      task: { priority: 9, rank: -9000 },
    });
    await ledger.amend([{ kind: "reprioritise", id: "b", priority: 0, boostMs: 1000 }]);
    const grants = await runner.grants(want("s", { max: 2 }));
    expect(grants.map(({ task }) => task.id)).toEqual(["a", "c"]);
    const late = await ledger.amend([
      { kind: "reprioritise", id: "c", priority: 1, boostMs: 1 },
      { kind: "cancel", id: "a" },
      { kind: "cancel", id: "b" },
      { kind: "cancel", id: "nobody" },
    ]);
    expect(late.map(({ outcome }) => outcome)).toEqual(["too_late", "requested", "done", "unknown"]);
  });
});

describe("sweep", () => {
  it("ends what waited too long, and what no server is there for", async () => {
    const { clock, ledger } = open();
    await ledger.submit([
      newTask("late", { waitMs: 100 }),
      newTask("lonely", { model: "x" }),
      newTask("fine"),
    ]);
    await clock.advance(100);
    const { ended } = await ledger.sweep({ ...sweep, unserved: ["x"] });
    expect(ended.map(({ id, error }) => [id, error?.code])).toEqual([
      ["late", "WAIT_DEADLINE"],
      ["lonely", "NO_SERVER"],
    ]);
  });

  it("changes no more tasks than it is told, and says that there are more", async () => {
    const { clock, ledger } = open();
    await ledger.submit(Array.from({ length: 5 }, (_, at) => newTask(`t${at}`, { waitMs: 1 })));
    await clock.advance(1);
    const first = await ledger.sweep({ limit: 3, unserved: [] });
    expect([first.ended.length, first.more]).toEqual([3, true]);
    const second = await ledger.sweep({ limit: 3, unserved: [] });
    expect([second.ended.length, second.more]).toEqual([2, false]);
  });

  it("forgets payload, result and row, each at its age, and names the objects once", async () => {
    const { clock, ledger, runner } = open();
    await ledger.submit([newTask("a", { payload: { sizeBytes: 1, key: "in/a" } })]);
    const [grant] = (await runner.grants(want("s"))) as [Grant];
    await runner.exchange({
      settle: [
        { ...succeeded(grant), kind: "succeeded", result: { sizeBytes: 1, key: "out/a" }, releaseHold: true },
      ],
    });
    const retention = { payloadMs: 10, resultMs: 20, rowMs: 30 };
    const keysAfter = async (byMs: number): Promise<readonly string[]> => {
      await clock.advance(byMs);
      return (await ledger.sweep({ ...sweep, retention })).unreferencedKeys;
    };
    expect(await keysAfter(9)).toEqual([]);
    expect(await keysAfter(1)).toEqual(["in/a"]);
    expect((await ledger.get(["a"]))[0]?.payload).toMatchObject({ isForgotten: true, key: undefined });
    expect(await keysAfter(10)).toEqual(["out/a"]);
    expect((await ledger.get(["a"]))[0]?.result).toMatchObject({ isForgotten: true, key: undefined });
    expect(await keysAfter(10)).toEqual([]);
    expect(await ledger.get(["a"])).toEqual([undefined]);
  });
});

describe("stats and close", () => {
  it("counts what waits by lane, and what is held", async () => {
    const { ledger, runner } = open();
    await ledger.submit([newTask("a"), newTask("b"), newTask("c", { model: "x" })]);
    await runner.grants(want("s", { max: 1 }));
    expect(await ledger.stats()).toEqual({
      lanes: [
        { model: "m", waiting: 1, waitingBytes: 2 },
        { model: "x", waiting: 1, waitingBytes: 2 },
      ],
      scheduled: 1,
      running: 0,
    });
  });

  it("rejects everything after close, and an aborted call at once", async () => {
    const { ledger } = open();
    const reason = new Error("enough");
    await expect(ledger.stats({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await ledger.close();
    await ledger.close();
    await expect(ledger.stats()).rejects.toMatchObject({ code: "CLOSED" });
  });
});
