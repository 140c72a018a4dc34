import { describe, expect, it } from "vitest";
import type { RunQuery, RunReport } from "../../src/contracts/server-protocol.ts";
import type { TrackedRun, Tracking } from "../../src/contracts/tracking.ts";
import { memoryTracking } from "../../src/memory/tracking.ts";
import type { CmsProtocolOptions } from "../../src/protocols/cms.ts";
import { answerJson, bytesOf, callTo, httpWire, modelServer, open } from "./wire.ts";

interface Answer {
  readonly status: number;
  readonly json?: unknown;
  readonly text?: string;
}

/** Answers by path; 404 in CMS's words for everything else. */
async function routes(answers: Readonly<Record<string, Answer>>, headers: Record<string, string> = {}) {
  const asked: string[] = [];
  const { server } = await httpWire((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    request.resume();
    const path = new URL(request.url ?? "", "http://x").pathname;
    const answer = answers[path] ?? { status: 404, json: { detail: "Not Found" } };
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (answer.text === undefined) answerJson(response, answer.status, answer.json);
    else response.writeHead(answer.status).end(answer.text);
  });
  return { server, asked };
}

const START_MS = 1_763_763_446_000;

function runInfo(status: string, more: object = {}): object {
  return {
    ...{ run_id: "r1", run_name: "t", experiment_id: "1", status, start_time: START_MS, end_time: null },
    ...{ lifecycle_stage: "active", artifact_uri: "mlflow-artifacts:/1/r1", tags: { "mlflow.runName": "t" } },
    ...more,
  };
}

const info = (...runs: object[]): Record<string, Answer> => ({
  "/train_eval_info": { status: 200, json: runs },
});
const NONE: Record<string, Answer> = { "/train_eval_info": { status: 404, json: [] } };

function tracked(status: "RUNNING" | "FINISHED" | "FAILED", more: Partial<TrackedRun> = {}): TrackedRun {
  const states = { RUNNING: "active", FINISHED: "succeeded", FAILED: "failed" } as const;
  return {
    ...{ id: "r1", name: "t", experimentId: "1", state: states[status], status, startedAtMs: START_MS },
    ...{ endedAtMs: status === "RUNNING" ? undefined : START_MS + 12_345 },
    ...{ metrics: {}, params: {}, tags: { "training.is.tracked": "True" } },
    ...more,
  };
}

function trackerOf(...runs: TrackedRun[]): Tracking {
  const tracking = memoryTracking();
  for (const run of runs) tracking.setRun(run);
  return tracking;
}

function down(): Tracking {
  const fail = (): Promise<never> => Promise.reject(new Error("away"));
  return { ...memoryTracking(), run: fail, findRuns: fail };
}

async function find(
  answers: Readonly<Record<string, Answer>>,
  query: Partial<RunQuery> = {},
  options: CmsProtocolOptions = {},
): Promise<RunReport & { text?: string }> {
  const { server } = await routes(answers);
  const report = await open(options).findRun({ server, taskId: "t", ...query });
  const text = report.document && (await bytesOf(report.document.body)).toString();
  expect(report.document?.sizeBytes).toBe(text === undefined ? undefined : Buffer.byteLength(text));
  return { ...report, ...(text === undefined ? {} : { text }) };
}

const documentOf = ({ text }: { text?: string }): Record<string, unknown> =>
  JSON.parse(text ?? "null") as Record<string, unknown>;

describe("findRun, of the server alone", () => {
  it.each([
    ["RUNNING", "active"],
    ["SCHEDULED", "active"],
    ["FINISHED", "succeeded"],
    ["FAILED", "failed"],
    ["KILLED", "failed"],
  ])("takes %s for %s", async (status, run) => {
    const report = await find(info(runInfo(status)));
    expect(report).toMatchObject({ run, runId: "r1" });
    expect(report.idle).toBeUndefined();
    expect(report.document === undefined).toBe(run === "active");
  });

  it("is sure of none only by the server's empty list", async () => {
    expect(await find(NONE)).toMatchObject({ run: "none" });
    expect(await find({})).toMatchObject({ run: "unclear" });
  });

  it.each([
    ["503", { status: 503, json: { message: "no trainers" } }],
    ["500", { status: 500, json: [] }],
    ["an empty list", { status: 200, json: [] }],
    ["no JSON", { status: 200, text: "<html>" }],
    ["no runs", { status: 200, json: [1, null] }],
    ["a state that nobody knows", { status: 200, json: [runInfo("ELSE")] }],
  ])("is unclear on %s", async (_name, answer) => {
    expect(await find({ "/train_eval_info": answer })).toMatchObject({ run: "unclear" });
  });

  it("is unclear without an answer, and without an id to ask for", async () => {
    const gone = modelServer("http://127.0.0.1:1");
    expect(await open().findRun({ server: gone, taskId: "t" })).toEqual({ run: "unclear" });
    expect(await open().findRun({ server: gone })).toEqual({ run: "unclear" });
  });

  it("picks the run asked for, else one that works, else the newest: an id may stand for several", async () => {
    const runs = [
      runInfo("FAILED", { run_id: "a", start_time: 1 }),
      runInfo("FINISHED", { run_id: "b", start_time: 3 }),
      runInfo("KILLED", { run_id: "c", start_time: 2 }),
    ];
    expect(await find(info(...runs))).toMatchObject({ runId: "b" });
    expect(await find(info(...runs), { runId: "a" })).toMatchObject({ run: "failed", runId: "a" });
    expect(await find(info(...runs), { runId: "z" })).toMatchObject({ run: "unclear" });
    const working = [...runs, runInfo("RUNNING", { run_id: "d", start_time: 0 })];
    expect(await find(info(...working))).toMatchObject({ runId: "d" });
  });

  it("makes the document of what the server tells: the last value of each metric", async () => {
    const report = await find({
      ...info(
        runInfo("FAILED", {
          end_time: START_MS + 12_345,
          tags: { exception: "no labels", "training.document.size": "3" },
        }),
      ),
      "/train_eval_metrics": { status: 200, json: [{ f1: [0.1, 0.5], loss: [2], concepts: ["C1"] }] },
    });
    expect(report.text).toBe(
      JSON.stringify(
        {
          run: {
            ...{ run_id: "r1", run_name: "t", experiment_id: "1", status: "FAILED" },
            ...{ lifecycle_stage: "active", internal_url: null },
          },
          timing: {
            started_at: "2025-11-21T22:17:26+00:00",
            finished_at: "2025-11-21T22:17:38.345000+00:00",
            duration_seconds: 12.345,
          },
          metrics: { f1: 0.5, loss: 2 },
          params: {},
          tags: { exception: "no labels", "training.document.size": "3" },
          artifacts: { artifact_uri: "mlflow-artifacts:/1/r1" },
          error: ["no labels"],
        },
        null,
        2,
      ),
    );
    expect(report.document).toMatchObject({ status: 200, contentType: "application/json" });
  });
});

describe("findRun, with a tracker", () => {
  it("finds the run by its id and by its name, whatever the server says", async () => {
    const tracking = trackerOf(tracked("RUNNING"), tracked("FINISHED", { id: "r2", name: "other" }));
    for (const query of [{ runId: "r1" }, {}]) {
      expect(await find(NONE, query, { tracking })).toMatchObject({ run: "active", runId: "r1" });
    }
    expect(await find({}, {}, { tracking })).toMatchObject({ run: "active", runId: "r1" });
  });

  it("is sure of none only when both are", async () => {
    expect(await find(NONE, {}, { tracking: trackerOf() })).toMatchObject({ run: "none" });
    expect(await find({}, {}, { tracking: trackerOf() })).toMatchObject({ run: "unclear" });
    expect(await find(NONE, {}, { tracking: down() })).toMatchObject({ run: "unclear" });
  });

  it("ends by another run, and names both in the document", async () => {
    const result = tracked("FINISHED", {
      ...{ id: "r2", name: "calm-foal-867", experimentId: "0", startedAtMs: START_MS + 100 },
      ...{ url: "http://tracker/r2", artifactUri: "s3://b/r2" },
      metrics: { f1: 0.9, auc: Number.NaN, most: Number.POSITIVE_INFINITY },
      params: { epochs: "2" },
      tags: { "training.trainer.mode": "train", "mlflow.runName": "calm-foal-867" },
    });
    const own = tracked("RUNNING", {
      url: "http://tracker/r1",
      metrics: { f1: 0.1, per_concept_tp: 3 },
      params: { lr: "0.1", epochs: "1" },
      tags: { "training.is.tracked": "True", "mlflow.runName": "t" },
    });
    const tracking = trackerOf(own, result);
    const query = { runId: "r1", operation: "train_supervised" };
    const report = await find(info(runInfo("RUNNING")), query, { tracking });
    expect(report).toMatchObject({ run: "succeeded", runId: "r1" });
    expect(documentOf(report)).toEqual({
      run: {
        ...{ run_id: "r1", run_name: "t", experiment_id: "1", status: "FINISHED" },
        ...{ lifecycle_stage: "active", internal_url: "http://tracker/r1" },
      },
      result_run: {
        ...{ run_id: "r2", run_name: "calm-foal-867", experiment_id: "0", status: "FINISHED" },
        internal_url: "http://tracker/r2",
      },
      timing: {
        started_at: "2025-11-21T22:17:26.100000+00:00",
        finished_at: "2025-11-21T22:17:38.345000+00:00",
        duration_seconds: 12.245,
      },
      metrics: { f1: 0.9, per_concept_tp: 3, auc: "NaN", most: "Infinity" },
      params: { lr: "0.1", epochs: "2" },
      tags: {
        "training.is.tracked": "True",
        "mlflow.runName": "calm-foal-867",
        "training.trainer.mode": "train",
      },
      artifacts: { artifact_uri: "s3://b/r2" },
      error: null,
    });
    expect(
      await find(info(runInfo("RUNNING")), { ...query, operation: "evaluate" }, { tracking }),
    ).toMatchObject({
      run: "active",
    });
  });

  it.each([
    ["goes on", "RUNNING", {}, { run: "active" }],
    ["is over", "FINISHED", {}, { run: "succeeded", isProvisional: true }],
    ["has failed, and says why", "FAILED", { exception: "no" }, { run: "failed", isProvisional: true }],
    ["has failed without a reason", "FAILED", {}, { run: "unclear" }],
  ])("that is away: a run that %s", async (_what, status, tags, expected) => {
    expect(await find(info(runInfo(status, { tags })), { runId: "r1" }, { tracking: down() })).toMatchObject(
      expected,
    );
  });

  it("that never answers costs its own time limit, and what the server says stands", async () => {
    const hang = (): Promise<never> => new Promise(() => {});
    const tracking = { ...memoryTracking(), run: hang, findRuns: hang };
    const options = { tracking, trackingTimeoutMs: 50 };
    expect(await find(info(runInfo("RUNNING")), { runId: "r1" }, options)).toMatchObject({ run: "active" });
  });

  it("that cannot list runs leaves a run that goes on alone, and a failure open", async () => {
    const findRuns = (): Promise<never> => Promise.reject(new Error("HTML"));
    const lists = (status: "RUNNING" | "FAILED"): Tracking => ({ ...trackerOf(tracked(status)), findRuns });
    expect(await find(NONE, { runId: "r1" }, { tracking: lists("RUNNING") })).toMatchObject({
      run: "active",
    });
    expect(await find(NONE, { runId: "r1" }, { tracking: lists("FAILED") })).toMatchObject({
      run: "unclear",
    });
  });

  it("of another house says nothing of the server's runs", async () => {
    const stranger = tracked("FINISHED", { id: "x", name: "calm-foal-1", startedAtMs: START_MS + 1 });
    const tracking = trackerOf(stranger);
    const report = await find(info(runInfo("RUNNING")), { runId: "r1" }, { tracking });
    expect(report).toMatchObject({ run: "active", runId: "r1" });
  });

  it("is asked for all runs once, however many look", async () => {
    let listings = 0;
    const known = trackerOf(tracked("RUNNING"));
    const findRuns: Tracking["findRuns"] = (filter, options) => {
      listings += 1;
      return known.findRuns(filter, options);
    };
    const { server } = await routes(info(runInfo("RUNNING")));
    const protocol = open({ tracking: { ...known, findRuns } });
    await Promise.all(
      Array.from({ length: 40 }, () => protocol.findRun({ server, taskId: "t", runId: "r1" })),
    );
    expect(listings).toBe(1);
  });

  it("is asked anew for what a failure is held against", async () => {
    const known = memoryTracking();
    known.setRun(tracked("RUNNING"));
    const { server } = await routes(info(runInfo("RUNNING")));
    const protocol = open({ tracking: known });
    expect((await protocol.findRun({ server, taskId: "t", runId: "r1" })).run).toBe("active");
    known.setRun(tracked("FAILED"));
    known.setRun(tracked("RUNNING", { id: "r2", name: "u", startedAtMs: START_MS + 12_400 }));
    expect((await protocol.findRun({ server, taskId: "t", runId: "r1" })).run).toBe("active");
  });
});

describe("which process answers", () => {
  const metrics = { status: 200, text: "process_start_time_seconds 1.763763440e+09\n" };

  it("is asked of its metrics only when that is wanted", async () => {
    const { server, asked } = await routes({ ...info(runInfo("RUNNING")), "/metrics": metrics });
    expect((await open().findRun({ server, taskId: "t" })).instance).toBeUndefined();
    const report = await open().findRun({ server, taskId: "t", wantsInstance: true });
    expect(report).toMatchObject({ instance: "process:1.763763440e%2B09", isLost: undefined });
    expect(asked.filter((line) => line.endsWith("/metrics"))).toHaveLength(1);
  });

  it("is the header where there is one", async () => {
    const { server } = await routes(info(runInfo("RUNNING")), { "x-instance-id": "boot 1" });
    const report = await open().findRun({ server, taskId: "t", wantsInstance: true });
    expect(report.instance).toBe("header:boot%201");
  });

  it("shows that the run is lost if it began after the run, with a header or without", async () => {
    const later = { status: 200, text: `process_start_time_seconds ${START_MS / 1000 + 3}\n` };
    const answers = { ...info(runInfo("RUNNING")), "/metrics": later };
    for (const headers of [{}, { "x-instance-id": "boot 2" }]) {
      const { server } = await routes(answers, headers);
      const report = await open().findRun({ server, taskId: "t", wantsInstance: true });
      expect(report).toMatchObject({ run: "active", isLost: true });
    }
  });
});

describe("cancelRun", () => {
  const cancel = { "/cancel_training": { status: 202, json: {} } };

  it("asks the server only while our run is active there", async () => {
    const { server, asked } = await routes({ ...info(runInfo("RUNNING")), ...cancel });
    expect(await open().cancelRun({ server, taskId: "t" })).toBe(true);
    expect(asked).toEqual(["GET /train_eval_info?train_eval_id=t", "POST /cancel_training"]);
  });

  it.each([
    ["ended", { status: 200, json: [runInfo("FINISHED")] }],
    ["not known", { status: 404, json: [] }],
    ["unclear", { status: 503, json: {} }],
  ])("asks nothing when the run is %s", async (_name, answer) => {
    const { server, asked } = await routes({ "/train_eval_info": answer, ...cancel });
    expect(await open().cancelRun({ server, taskId: "t" })).toBe(false);
    expect(asked).toHaveLength(1);
  });

  it("says when the server did not take it", async () => {
    const { server } = await routes({
      ...info(runInfo("RUNNING")),
      "/cancel_training": { status: 400, json: { message: "Cannot find in-progress training" } },
    });
    expect(await open().cancelRun({ server, taskId: "t" })).toBe(false);
  });

  const earlier = tracked("RUNNING", {
    id: "r0",
    name: "proud-owl-1",
    startedAtMs: START_MS - 60_000,
    tags: {},
  });
  const next = tracked("RUNNING", { id: "r2", name: "u", startedAtMs: START_MS + 12_345 });
  it.each([
    ["goes on alone", trackerOf(tracked("RUNNING")), true],
    ["works beside one that began before", trackerOf(tracked("RUNNING"), earlier), false],
    ["was made to look failed by one that began after", trackerOf(tracked("FAILED"), next), false],
    [
      "is over by another run",
      trackerOf(tracked("RUNNING"), tracked("FINISHED", { id: "r2", name: "calm-foal-1", tags: {} })),
      false,
    ],
    ["cannot be judged, as the tracker is away", down(), false],
  ])("with a tracker, a run that %s", async (_what, tracking, isAsked) => {
    const { server, asked } = await routes({ ...info(runInfo("RUNNING")), ...cancel });
    expect(await open({ tracking }).cancelRun({ server, taskId: "t", runId: "r1" })).toBe(isAsked);
    expect(asked.includes("POST /cancel_training")).toBe(isAsked);
  });
});

describe("a busy server that names a run", () => {
  const busy = {
    "/train_supervised": { status: 503, json: { message: "busy", experiment_id: "1", run_id: "r1" } },
  };
  const train = {
    operation: "train_supervised",
    contentType: "multipart/form-data; boundary=x",
    taskId: "t",
  };

  it.each([
    ["by the server", info(runInfo("RUNNING")), undefined],
    ["by the tracker", NONE, trackerOf(tracked("RUNNING"))],
  ])("works on this very task, when that run bears its id: %s", async (_by, answers, tracking) => {
    const { server } = await routes({ ...busy, ...answers });
    const outcome = await open({ tracking }).call(callTo(server, train));
    expect(outcome).toMatchObject({ kind: "accepted", runId: "r1" });
  });

  it.each([
    ["there is no run of it", NONE, trackerOf()],
    ["the run of it is another", info(runInfo("FAILED", { run_id: "r0" })), undefined],
    ["the run named is another's", NONE, trackerOf(tracked("RUNNING", { name: "u" }))],
    ["nobody can tell", {}, down()],
  ])("is busy with something else when %s", async (_what, answers, tracking) => {
    const { server } = await routes({ ...busy, ...answers });
    const outcome = await open({ tracking }).call(callTo(server, train));
    expect(outcome).toMatchObject({ kind: "refused", reason: "busy", blockingRunId: "r1" });
  });
});
