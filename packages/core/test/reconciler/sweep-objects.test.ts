import { describe, expect, it } from "vitest";
import { memoryLedger, memoryObjectStore } from "../../src/memory/index.ts";
import { ObjectSweeper } from "../../src/reconciler/object-sweeper.ts";
import { sweepObjects } from "../../src/reconciler/sweep-objects.ts";
import { ManualClock } from "../discovery/manual-clock.ts";
import { newTask, RESULT, TestRunner, want } from "../support/tasks.ts";

const HOUR_MS = 3_600_000;

async function* bytes(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(10);
}

/** A ledger and an object store, and time that has not begun to pass. */
function open() {
  const clock = new ManualClock();
  const ledger = memoryLedger({ clock });
  const objects = memoryObjectStore({ clock });
  const keys = async (): Promise<string[]> => {
    return [...(await objects.list("")).items].map(({ key }) => key).sort();
  };
  const put = async (...names: string[]): Promise<void> => {
    for (const name of names) await objects.put(name, bytes());
  };
  return { clock, ledger, objects, keys, put };
}

describe("sweeping the object store", () => {
  it("deletes what no row names, and nothing else", async () => {
    const { clock, ledger, objects, keys, put } = open();
    const payload = { sizeBytes: 10, key: "payloads/t1/a" };
    await ledger.submit([newTask("t1", { payload }), newTask("t2")]);
    await put(
      "payloads/t1/a",
      "payloads/t1/b",
      "payloads/gone/a",
      "results/gone/1",
      "notes/mine",
      "payloads/strange",
    );
    await clock.advance(25 * HOUR_MS);
    const unreferenced: string[] = [];
    const report = await sweepObjects({
      ledger,
      objects,
      clock,
      onUnreferenced: ({ key }) => unreferenced.push(key),
    });
    expect(unreferenced.sort()).toEqual(["payloads/gone/a", "payloads/t1/b", "results/gone/1"]);
    expect(await keys()).toEqual(["notes/mine", "payloads/strange", "payloads/t1/a"]);
    expect(report).toEqual({
      examined: 5,
      named: 2,
      young: 0,
      unreferenced: 3,
      unreferencedBytes: 30,
      deleted: 3,
    });
  });

  it("leaves alone what is young, because its row may be on its way", async () => {
    const { clock, ledger, objects, keys, put } = open();
    await put("payloads/old/a");
    await clock.advance(2 * HOUR_MS);
    await put("payloads/young/a");
    await clock.advance(HOUR_MS - 1);
    const report = await sweepObjects({ ledger, objects, clock, minAgeMs: HOUR_MS });
    expect(report).toMatchObject({ young: 1, deleted: 1 });
    expect(await keys()).toEqual(["payloads/young/a"]);
    await expect(sweepObjects({ ledger, objects, clock, minAgeMs: HOUR_MS - 1 })).rejects.toMatchObject({
      code: "INVALID_OPTIONS",
      details: { field: "minAgeMs" },
    });
  });

  it("keeps the result of an attempt that has not named it yet, and not that of one that lost the task", async () => {
    const { clock, ledger, objects, keys, put } = open();
    await ledger.submit([newTask("t1")]);
    const runner = new TestRunner(ledger, "r");
    const leaseMs = 1000 * HOUR_MS;
    const [first] = (await runner.exchange({ want: [want("s")], leaseMs })).grants;
    if (first === undefined) throw new Error("no grant");
    const back = {
      id: "t1",
      attempt: 1,
      kind: "returned",
      counts: false,
      delayMs: 0,
      releaseHold: true,
    } as const;
    const [second] = (await runner.exchange({ settle: [back], want: [want("s")], leaseMs })).grants;
    expect(second?.attempt).toBe(2);
    await put("results/t1/1", "results/t1/2");
    await clock.advance(25 * HOUR_MS);
    await sweepObjects({ ledger, objects, clock });
    expect(await keys()).toEqual(["results/t1/2"]);

    const { inline: _, ...rest } = RESULT;
    const result = { ...rest, key: "results/t1/2" };
    await runner.exchange({
      settle: [{ id: "t1", attempt: 2, kind: "succeeded", result, releaseHold: true }],
    });
    await put("results/t1/3");
    await clock.advance(25 * HOUR_MS);
    await sweepObjects({ ledger, objects, clock });
    expect(await keys()).toEqual(["results/t1/2"]);
  });

  it("deletes nothing in a dry run, and walks any number of pages", async () => {
    const { clock, ledger, objects, keys, put } = open();
    await put(...Array.from({ length: 2500 }, (_, index) => `payloads/t${index}/a`));
    await clock.advance(25 * HOUR_MS);
    const pages: number[] = [];
    const report = await sweepObjects({
      ...{ ledger, objects, clock },
      dryRun: true,
      onProgress: ({ examined }) => pages.push(examined),
    });
    expect(report).toMatchObject({ examined: 2500, unreferenced: 2500, deleted: 0 });
    expect(pages.length).toBeGreaterThan(1);
    expect((await keys()).length).toBeGreaterThan(0);
    expect((await sweepObjects({ ledger, objects, clock })).deleted).toBe(2500);
    expect((await objects.list("")).items).toEqual([]);
  });

  it("ends with the signal's reason", async () => {
    const { clock, ledger, objects } = open();
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(sweepObjects({ ledger, objects, clock, signal })).rejects.toThrow("enough");
  });
});

describe("the sweeper of a gateway", () => {
  it("looks soon after the start, then from time to time, whatever fails, until it is stopped", async () => {
    const { clock, ledger, objects, put, keys } = open();
    const reports: number[] = [];
    const errors: unknown[] = [];
    let isAway = false;
    const sweeper = new ObjectSweeper({
      ledger,
      objects: {
        list: (...args) => (isAway ? Promise.reject(new Error("away")) : objects.list(...args)),
        delete: (...args) => objects.delete(...args),
      },
      clock,
      random: () => 0.5,
      intervalMs: 24 * HOUR_MS,
      onSwept: ({ deleted }) => reports.push(deleted),
      onError: (error) => errors.push(error),
    });
    await put("payloads/lost/a");
    sweeper.start();
    await clock.advance(HOUR_MS);
    expect(reports).toEqual([0]);
    isAway = true;
    await clock.advance(24 * HOUR_MS);
    expect(errors).toHaveLength(1);
    isAway = false;
    await clock.advance(24 * HOUR_MS);
    expect(reports).toEqual([0, 1]);
    expect(await keys()).toEqual([]);
    await sweeper.stop();
    await clock.advance(100 * HOUR_MS);
    expect(reports).toEqual([0, 1]);
    expect(clock.pending).toBe(0);
  });
});
