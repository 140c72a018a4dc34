import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { RunFilter, TrackedRun } from "../../contracts/tracking.ts";
import { rejectsWith } from "../checks/rejections.ts";
import { settles } from "../checks/waiting.ts";
import type { RunSample, TrackingFixture, TrackingTest } from "./fixture.ts";
import { ODD_TEXTS, toldOfOdd } from "./odd-texts.ts";

const claims = (fixture: TrackingFixture): string | undefined => {
  if (!fixture.tracking.capabilities.runs) return "it does not claim to know runs";
  return fixture.addRun === undefined ? "the fixture logs no runs" : undefined;
};

const BEGUN_AT_MS = 1_700_000_000_123;

/** A name that nobody else has, on a tracker that others use too. */
const newName = (): string => `run-${randomUUID()}`;

/** A test that logs runs. */
function runTest(name: string, run: (parts: RunParts) => Promise<void>): TrackingTest {
  return {
    name,
    leaveOut: claims,
    run: async (fixture) => {
      const { addRun, tracking } = fixture;
      const add = (sample: Partial<RunSample>): Promise<string> =>
        addRun?.({ name: newName(), startedAtMs: BEGUN_AT_MS, ...sample }) ?? assert.fail("it logs no runs");
      const find = async (filter: RunFilter): Promise<readonly string[]> =>
        (await settles("findRuns", tracking.findRuns(filter))).map(({ id }) => id);
      const get = async (id: string): Promise<TrackedRun> =>
        (await settles("run", tracking.run(id))) ?? assert.fail(`run ${id} was told as unknown`);
      await run({ fixture, add, find, get });
    },
  };
}

interface RunParts {
  readonly fixture: TrackingFixture;
  readonly add: (sample: Partial<RunSample>) => Promise<string>;
  readonly find: (filter: RunFilter) => Promise<readonly string[]>;
  readonly get: (id: string) => Promise<TrackedRun>;
}

export const running: readonly TrackingTest[] = [
  runTest("run tells a run: its name, when it began and ended, and what was logged", async ({ add, get }) => {
    const sample = {
      name: newName(),
      endedAtMs: BEGUN_AT_MS + 5000,
      state: "succeeded",
      metrics: { accuracy: 0.93, none: Number.NaN, "per concept/f1": -1e-7 },
      params: { epochs: "2", empty: "" },
      tags: { "training.output.package": "model.zip", note: "\u00e9\u4e16" },
    } as const;
    const id = await add(sample);
    await add({ metrics: { accuracy: 0 } });
    const told = await get(id);
    assert.deepEqual(
      [told.id, told.name, told.state, told.startedAtMs, told.endedAtMs],
      [id, sample.name, sample.state, BEGUN_AT_MS, sample.endedAtMs],
    );
    assert.deepEqual({ ...told.metrics }, { ...sample.metrics });
    for (const [key, value] of Object.entries(sample.params)) assert.equal(told.params[key], value, key);
    for (const [key, value] of Object.entries(sample.tags)) assert.equal(told.tags[key], value, key);
    assert.ok(told.experimentId !== "" && told.status !== "", "its experiment and its status");
  }),
  runTest("a run's state tells whether it goes on, and how it ended", async ({ add, get }) => {
    for (const state of ["active", "succeeded", "failed"] as const) {
      const id = await add({ state, endedAtMs: state === "active" ? undefined : BEGUN_AT_MS + 1 });
      const told = await get(id);
      assert.equal(told.state, state);
      assert.equal(told.endedAtMs === undefined, state === "active", "whether it has an end");
    }
  }),
  runTest("a run is told as it is now", async ({ fixture, add, get, find }) => {
    const name = newName();
    assert.deepEqual(await find({ name }), [], "before it began");
    const id = await add({ name });
    assert.equal((await get(id)).state, "active");
    // A tracker may hear of a new experiment a moment later.
    for (let tries = 0; (await find({ name })).length === 0 && tries < 200; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.deepEqual(await find({ name }), [id]);
    if (fixture.endRun === undefined) return;
    await fixture.endRun(id, "succeeded");
    assert.equal((await get(id)).state, "succeeded", "after its end");
    const [found] = await settles("findRuns", fixture.tracking.findRuns({ name }));
    assert.equal(found?.state, "succeeded", "what findRuns tells after its end");
  }),
  runTest("run tells undefined of what is no run", async ({ fixture, add }) => {
    const { tracking, unknownRuns } = fixture;
    await add({});
    const [unknown = "none"] = unknownRuns;
    assert.equal(await settles("run", tracking.run(unknown)), undefined, unknown);
    for (const text of ODD_TEXTS) {
      const told = await toldOfOdd("run", text, tracking.run(text));
      assert.equal(told, undefined, `run(${JSON.stringify(text.slice(0, 20))})`);
    }
  }),
  runTest(
    "findRuns tells the runs of exactly one name, in any experiment",
    async ({ add, find, fixture }) => {
      const name = newName();
      const ids = [await add({ name }), await add({ name })];
      await add({ name: `${name}-2` });
      await add({ name: name.toUpperCase() });
      await add({ name: name.replaceAll("-", "_") });
      await knows(fixture, ids[1]);
      assert.deepEqual([...(await find({ name }))].sort(), ids.sort());
      assert.deepEqual(await find({ name: newName() }), []);
    },
  ),
  runTest("findRuns tells those that began at an instant or later, the newest first", async (parts) => {
    const { add, find } = parts;
    const atMs = 4_000_000_000_000 + Math.floor(Math.random() * 1e9);
    const before = await add({ startedAtMs: atMs - 1 });
    const at = await add({ startedAtMs: atMs });
    const latest = await add({ startedAtMs: atMs + 2 });
    const after = await add({ startedAtMs: atMs + 1 });
    await knows(parts.fixture, after);
    const own = [before, at, latest, after];
    const found = (await find({ sinceMs: atMs, limit: 1000 })).filter((id) => own.includes(id));
    assert.deepEqual(found, [latest, after, at]);
  }),
  runTest(
    "findRuns tells at most as many as are asked for, of the newest",
    async ({ add, find, fixture }) => {
      const name = newName();
      const ids: string[] = [];
      for (const at of [2, 0, 3, 1]) ids[at] = await add({ name, startedAtMs: BEGUN_AT_MS + at });
      await knows(fixture, ids[1]);
      assert.deepEqual(await find({ name, limit: 2 }), [ids[3], ids[2]]);
      assert.deepEqual(await find({ name, limit: 1 }), [ids[3]]);
    },
  ),
  runTest("all of a filter must hold", async ({ add, find, fixture }) => {
    const name = newName();
    await add({ name, startedAtMs: BEGUN_AT_MS - 1 });
    const both = await add({ name });
    await knows(fixture, await add({}));
    assert.deepEqual(await find({ name, sinceMs: BEGUN_AT_MS }), [both]);
    assert.deepEqual(await find({ name: newName(), sinceMs: BEGUN_AT_MS }), []);
  }),
  runTest("a name is no pattern, no condition and no part of one", async ({ add, find, fixture }) => {
    const name = `${newName()} it's "one" 100% \\ of_all; -- \u00e9`;
    const id = await add({ name });
    await knows(fixture, id);
    assert.deepEqual(await find({ name }), [id]);
    assert.deepEqual(await find({ name: name.replaceAll("'", "_").replace("\u00e9", "%") }), []);
    for (const text of ODD_TEXTS) {
      const told = await toldOfOdd("findRuns", text, fixture.tracking.findRuns({ name: text }));
      const ours = told?.some((run) => run.id === id) ?? false;
      assert.ok(!ours, `findRuns({ name: ${JSON.stringify(text.slice(0, 20))} }) told another's run`);
    }
  }),
  runTest("who changes a run that was told changes nothing of the tracker's", async ({ add, get }) => {
    const id = await add({ metrics: { accuracy: 1 } });
    const first = await get(id);
    Object.assign(first.metrics, { accuracy: 0 });
    Object.assign(first, { name: "changed" });
    const told = await get(id);
    assert.notEqual(told.name, "changed");
    assert.equal(told.metrics["accuracy"], 1);
  }),
  {
    name: "what is not claimed rejects with UNSUPPORTED",
    leaveOut: ({ tracking: { capabilities } }) =>
      capabilities.runs && capabilities.describes ? "it claims everything" : undefined,
    async run({ tracking }) {
      const { runs, describes } = tracking.capabilities;
      if (!describes) await rejectsWith("UNSUPPORTED", "describe", () => tracking.describe("s3://a/b"));
      if (runs) return;
      await rejectsWith("UNSUPPORTED", "run", () => tracking.run("a"));
      await rejectsWith("UNSUPPORTED", "findRuns", () => tracking.findRuns({ name: "a" }));
    },
  },
];

/** A tracker may hear of a new experiment a moment later, so that a search waits for the last one. */
async function knows({ tracking }: TrackingFixture, id: string | undefined): Promise<void> {
  const run = id === undefined ? undefined : await settles("run", tracking.run(id));
  assert.ok(run !== undefined, `run ${id} was told as unknown`);
  const { name, startedAtMs: sinceMs } = run;
  for (let tries = 0; tries < 200; tries += 1) {
    const found = await settles("findRuns", tracking.findRuns({ name, sinceMs, limit: 1000 }));
    if (found.some((each) => each.id === id)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
