import type { DueListRequest, Grant, TaskRecord, TaskStore } from "@modelgate/core";
import { memoryTaskStore } from "@modelgate/core/memory";
import { describe, expect, it } from "vitest";
import { freeze, newTask, openStore } from "./store-fixture.ts";

const BEGUN_AT_MS = 1_700_000_000_000;
const call = { runner: "r", incarnation: "1", leaseMs: 10_000 };
const none = { renew: [], recover: 0, release: [], servers: [] };

/** 90 tasks in two lanes and their background lanes, of which some are granted and some handed back for a while. */
async function fill(store: TaskStore): Promise<void> {
  const ids = Array.from({ length: 90 }, (_, at) => `t${(at * 37) % 90}`);
  await store.insert(
    ids.map((id, at) => {
      return newTask(id, { model: `m${at % 2}`, background: at % 5 === 0, priority: at % 3, boostMs: 1000 });
    }),
  );
  await store.apply({ ...call, ...none, settle: [], sequence: 1, acknowledged: 0 });
  const claims = ids.slice(0, 30).map((id) => ({ id, servers: [{ server: `s-${id}`, limit: 1 }] }));
  const outcomes = await store.claim({ ...call, sequence: 1, claims });
  const grants = outcomes.flatMap((item): Grant[] => (item.outcome === "granted" ? [item.grant] : []));
  expect(grants).toHaveLength(30);
  const settle = grants.slice(0, 20).map(({ task: { id }, attempt }, at) => {
    return { id, attempt, kind: "returned", counts: false, delayMs: at * 10, releaseHold: true } as const;
  });
  await store.apply({ ...call, ...none, settle, sequence: 2, acknowledged: 1 });
}

async function pagesOf(store: TaskStore, request: DueListRequest): Promise<string[][]> {
  const pages: string[][] = [];
  let cursor: string | undefined;
  do {
    const page = await store.list({ ...request, cursor });
    pages.push(page.items.map(({ id }: TaskRecord) => id));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  // The one in memory learns from an empty page that what follows is delayed.
  return pages.filter((page) => page.length > 0);
}

describe("what is due", () => {
  it("is listed as the store in memory lists it, page for page and of several lanes", async () => {
    const { store, client } = await openStore();
    let nowMs = BEGUN_AT_MS;
    const clock = { now: () => nowMs, monotonic: () => nowMs, after: () => () => {} };
    const oracle = memoryTaskStore({ clock, random: () => 0.5 });
    await freeze(client, nowMs);
    await fill(store.tasks);
    await fill(oracle);
    const lanes = ["m0", "m1"].flatMap((lane) => [false, true].map((background) => ({ lane, background })));
    const counts: number[] = [];
    // Nothing has brought the delayed ones to their lanes yet, and then a sweep has.
    for (const [elapsedMs, isSwept] of [[0], [95], [95, true], [500], [500, true]] as const) {
      nowMs = BEGUN_AT_MS + elapsedMs;
      await freeze(client, nowMs);
      for (const each of isSwept ? [store.tasks, oracle] : []) await each.sweep({ limit: 100, unserved: [] });
      for (const lane of lanes) {
        for (const max of [1, 4, 1000]) {
          const request = { due: [{ ...lane, max }] };
          const pages = await pagesOf(store.tasks, request);
          expect(pages, JSON.stringify([elapsedMs, lane, max])).toEqual(await pagesOf(oracle, request));
          expect(pages.slice(0, -1).every((page) => page.length === max)).toBe(true);
        }
      }
      const all = { due: lanes.map((lane, at) => ({ ...lane, max: 7 + at })) };
      expect(await pagesOf(store.tasks, all)).toEqual(await pagesOf(oracle, all));
      const every = await store.tasks.list({ due: lanes.map((lane) => ({ ...lane, max: 1000 })) });
      counts.push(every.items.length);
    }
    expect(counts).toEqual([61, 70, 70, 80, 80]);
  });

  it("is asked for within bounds, and goes on in one lane only", async () => {
    const { tasks } = (await openStore()).store;
    const lane = { lane: "m", background: false };
    const bad: DueListRequest[] = [
      ...[0, 1001, 1.5, Number.NaN].map((max) => ({ due: [{ ...lane, max }] })),
      { due: [{ ...lane, max: 1 }], cursor: "nowhere" },
      {
        due: [
          { ...lane, max: 1 },
          { lane: "other", background: false, max: 1 },
        ],
        cursor: "1/a",
      },
    ];
    for (const request of bad)
      await expect(tasks.list(request)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    expect(await tasks.list({ due: [] })).toEqual({ items: [] });
  });
});
