import { randomUUID } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { requireService } from "../../adapters-storage/test/support/services.ts";
import { mlflowTracking } from "../src/mlflow-tracking.ts";
import { trackedRun } from "../src/tracked-run.ts";
import { Between } from "./support/between.ts";
import { MlflowServer } from "./support/mlflow-server.ts";

const url = requireService("MLFLOW_URL") ?? "";

describe.skipIf(url === "")("runs on a real MLflow", () => {
  const server = new MlflowServer(url);
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
  });

  async function open(more: { readonly publicUrl?: string } = {}) {
    const between = await Between.open(url);
    const tracking = mlflowTracking({ url: `${between.url}/`, ...more });
    closing.push(
      () => tracking.close(),
      () => between.cut(),
    );
    return { tracking, between };
  }

  it("links to the page of a run, under the address that people have", async () => {
    const experiment = await server.experiment();
    const id = await server.run({ experiment });
    const own = await open();
    const page = `/#/experiments/${experiment}/runs/${id}`;
    expect((await own.tracking.run(id))?.url).toBe(`${own.between.url}${page}`);
    const { tracking } = await open({ publicUrl: "https://mlflow.example/some/path/" });
    expect((await tracking.run(id))?.url).toBe(`https://mlflow.example/some/path${page}`);
  });

  it("reads lists to their end, page by page", async () => {
    const { tracking, between } = await open();
    // Pages that are full at once, as if there were hundreds of experiments and thousands of runs.
    between.rewrite = (path, body) => [path, body.replace(/"max_results":\d+/, '"max_results":2')];
    const experiment = await server.experiment();
    const name = randomUUID();
    for (let at = 0; at < 5; at += 1)
      await server.run({ experiment, name, startedAtMs: 1_700_000_000_000 + at });
    const found = await tracking.findRuns({ name, limit: 1000 });
    expect(found.map(({ startedAtMs }) => (startedAtMs ?? 0) - 1_700_000_000_000)).toEqual([4, 3, 2, 1, 0]);
    expect(between.paths.filter((path) => path.endsWith("runs/search"))).toHaveLength(3);
    expect(await tracking.findRuns({ name, limit: 3 })).toHaveLength(3);
  });

  it("finds runs that somebody deleted, and says so: they have been started", async () => {
    const { tracking } = await open();
    const experiment = await server.experiment();
    const name = randomUUID();
    const id = await server.run({ experiment, name });
    await server.post("experiments/delete", { experiment_id: experiment });
    expect(await tracking.findRuns({ name })).toMatchObject([{ id, lifecycleStage: "deleted" }]);
    expect(await tracking.run(id)).toMatchObject({ id, lifecycleStage: "deleted" });
  });

  it("tells how people call the experiment of a run, alone and in a list", async () => {
    const called = `umls_supervised-${randomUUID()}`;
    const experiment = await server.experiment(called);
    const name = randomUUID();
    const id = await server.run({ experiment, name });
    const { tracking } = await open();
    expect(await tracking.run(id)).toMatchObject({ experimentId: experiment, experimentName: called });
    expect(await tracking.findRuns({ name })).toMatchObject([{ experimentName: called }]);
  });

  it("tells a run that was killed as failed, in the tracker's own word too", async () => {
    const { tracking } = await open();
    const id = await server.run({});
    await server.end(id, "KILLED");
    expect(await tracking.run(id)).toMatchObject({ state: "failed", status: "KILLED" });
  });

  it("takes a limit that is none for a mistake", async () => {
    const { tracking } = await open();
    for (const limit of [0, -1, 1.5, Number.NaN]) {
      await expect(tracking.findRuns({ name: "a", limit })).rejects.toMatchObject({
        code: "INVALID_REQUEST",
      });
    }
    expect(await tracking.findRuns({ sinceMs: Number.MAX_VALUE })).toEqual([]);
  });
});

describe("a run as older servers write it", () => {
  it("has its 64-bit numbers as texts, and no name of its own", () => {
    const run = trackedRun(
      {
        info: {
          run_uuid: "r",
          experiment_id: 7,
          status: "FINISHED",
          start_time: "1700000000123",
          end_time: "0",
        },
        data: {
          metrics: [
            { key: "a", value: "NaN", timestamp: "1" },
            { key: "b", value: "-Infinity" },
            { key: "c", value: "0.5" },
            { key: "d", value: "x" },
            { key: "__proto__", value: 1 },
          ],
          tags: [{ key: "mlflow.runName", value: "its name" }],
        },
      },
      "http://h",
    );
    expect(run).toMatchObject({
      id: "r",
      name: "its name",
      experimentId: "7",
      startedAtMs: 1_700_000_000_123,
    });
    expect(run?.endedAtMs).toBeUndefined();
    expect(Object.entries(run?.metrics ?? {})).toEqual([
      ["a", Number.NaN],
      ["b", Number.NEGATIVE_INFINITY],
      ["c", 0.5],
      ["__proto__", 1],
    ]);
  });

  it("may go on when its status is a word of tomorrow", () => {
    const info = { run_id: "r", experiment_id: "1", status: "PAUSED" };
    expect(trackedRun({ info }, "http://h")?.state).toBe("active");
    expect(trackedRun({ info: { run_id: "r" } }, "http://h")).toBeUndefined();
  });
});
