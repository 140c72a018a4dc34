import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { requireService } from "../../../packages/adapters-storage/test/support/services.ts";
import type { NlpServerOptions } from "../src/server.ts";
import { exportsForm, formOf, postForm } from "./forms.ts";
import { type MlflowProxy, openProxy } from "./mlflow-proxy.ts";
import { endedRun, metricsOf, type RunInfo, runsOf } from "./run-info.ts";
import { type Running, start, until } from "./running.ts";

const url = requireService("MLFLOW_URL") ?? "";

/** A run as MLflow itself gives it. */
interface TrackedRun {
  info: {
    run_id: string;
    run_name: string;
    experiment_id: string;
    status: string;
    end_time?: number;
    artifact_uri: string;
  };
  data: { metrics?: Pair<number>[]; params?: Pair<string>[]; tags?: Pair<string>[] };
}
interface Pair<T> {
  key: string;
  value: T;
}

async function ask<T>(path: string, body?: unknown): Promise<T> {
  const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const headers = { "content-type": "application/json" };
  return (await (await fetch(`${url}/api/2.0/mlflow/${path}`, { ...init, headers })).json()) as T;
}

const record = <T>(pairs: Pair<T>[] = []): Record<string, T> =>
  Object.fromEntries(pairs.map(({ key, value }) => [key, value]));

async function tracked(runId: string): Promise<TrackedRun> {
  return (await ask<{ run: TrackedRun }>(`runs/get?run_id=${runId}`)).run;
}

const statusOf = async (runId: string): Promise<string> => (await tracked(runId)).info.status;

describe.skipIf(url === "")("with MLflow", () => {
  let modelName: string;
  let open: { close(): Promise<void> }[];

  beforeEach(() => {
    modelName = `notes ${randomBytes(4).toString("hex")}`;
    open = [];
  });

  afterEach(async () => {
    vi.restoreAllMocks();
    // The servers first: what they still have to write goes through a proxy.
    for (const each of open.toReversed()) await each.close();
  });

  async function begin(options: NlpServerOptions = {}): Promise<Running> {
    const running = await start({ engine: "echo", modelName, mlflow: { url }, ...options });
    open.push(running);
    return running;
  }

  async function proxied(authorization?: string): Promise<MlflowProxy> {
    const proxy = await openProxy(url, authorization);
    open.push(proxy);
    return proxy;
  }

  async function train(running: Running, id: string): Promise<RunInfo> {
    const form = exportsForm("a");
    form.append("description", "names");
    const path = `/train_supervised?tracking_id=${id}&epochs=3&test_size=0`;
    const response = await postForm(running, path, form);
    expect(response.status).toBe(202);
    return (await response.json()) as RunInfo;
  }

  it("logs a training as CMS does: parameters, tags, metrics by step, the model and a version of it", async () => {
    const running = await begin();
    const { run_id, experiment_id } = await train(running, "sup-1");
    await until(async () => (await statusOf(run_id)) === "FINISHED");
    const { info, data } = await tracked(run_id);
    expect(info).toMatchObject({ run_name: "sup-1", experiment_id, end_time: expect.any(Number) });
    const name = modelName.replaceAll(" ", "_");
    expect(await ask(`experiments/get?experiment_id=${experiment_id}`)).toMatchObject({
      experiment: { name: `${name}_supervised` },
    });
    expect(record(data.params)).toMatchObject({ nepochs: "3", test_size: "0", learning_rate: "1" });
    const model_uri = `${info.artifact_uri}/model`;
    expect(record(data.tags)).toMatchObject({
      "mlflow.runName": "sup-1",
      "mlflow.note.content": "names",
      "training.input_data.filename": "file-0.json",
      "training.trainer.mode": "train",
      "training.document.size": "2",
      "training.output.model_uri": model_uri,
      "training.output.model_type": "nlp_echo",
      "training.entity.classes": expect.stringContaining("PERSON"),
    });
    const { metrics } = await ask<{ metrics: { value: number; step: number }[] }>(
      `metrics/get-history?run_id=${run_id}&metric_key=f1`,
    );
    expect(metrics.map(({ step, value }) => [step, value])).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
    ]);

    const { files } = await ask<{ files: { path: string }[] }>(`artifacts/list?run_id=${run_id}&path=model`);
    expect(files.map(({ path }) => path)).toEqual(["model/MLmodel", "model/model.json"]);
    const file = async (path: string): Promise<string> =>
      (await fetch(`${url}/get-artifact?run_id=${run_id}&path=${path}`)).text();
    expect(await file("model/MLmodel")).toContain(
      `run_id: ${run_id}\nsignature:\n  inputs: '[{"type":"string"`,
    );
    expect(JSON.parse(await file("model/model.json"))).toMatchObject({
      phrases: { "Buenos Aires": "PLACE" },
    });
    const { model_versions } = await ask<{ model_versions: { tags: Pair<string>[] }[] }>(
      `model-versions/search?filter=${encodeURIComponent(`name='${name}'`)}`,
    );
    expect(model_versions).toMatchObject([{ version: "1", run_id }]);
    expect(record(model_versions[0]?.tags)).toEqual({
      model_type: "nlp_echo",
      model_uri: `models:/${name}/1`,
      validation_status: "pending",
    });
  });

  it("logs the failure of a run, and metrics before its end", async () => {
    const running = await begin({ runMs: 60_000 });
    const { run_id } = await train(running, "sup");
    await until(async () => record((await tracked(run_id)).data.metrics)["f1"] === 1);
    expect(await statusOf(run_id)).toBe("RUNNING");
    await running.close();
    expect(await statusOf(run_id)).toBe("KILLED");

    const other = await begin();
    const source = '{"projects":[{"id":1,"documents":[{"id":1,"annotations":[]}]}]}';
    const response = await postForm(other, "/evaluate?tracking_id=bad", formOf("trainer_export", source));
    const { run_id: failed } = (await response.json()) as RunInfo;
    await until(async () => (await statusOf(failed)) === "FAILED");
    expect(record((await tracked(failed)).data.tags)).toMatchObject({
      exception: "'text'",
      "training.trainer.mode": "eval",
    });
  });

  it("orphan-run: the results are in another run, in the experiment of the run before", async () => {
    const running = await begin({ behaviours: ["orphan-run"] });
    const one = await train(running, "one");
    await until(() => running.server.runs()[1]?.status === "FINISHED");
    const [, unnamed] = running.server.runs();
    const { run } = await ask<{ run: TrackedRun }>(`runs/get?run_id=${unnamed?.id}`);
    expect(run.info).toMatchObject({
      experiment_id: "0",
      run_name: expect.stringMatching(/^[a-z]+-[a-z]+-\d+$/),
    });
    await until(async () => (await statusOf(run.info.run_id)) === "FINISHED");
    const orphan = await tracked(one.run_id);
    expect([orphan.info.status, record(orphan.data.metrics)["f1"]]).toEqual(["RUNNING", undefined]);
    expect(record(orphan.data.metrics)["per_concept_f1"]).toBe(1);
    await train(running, "two");
    await until(async () => (await statusOf(one.run_id)) === "FAILED");
    expect(running.server.runs()[3]).toMatchObject({ experimentId: one.experiment_id });
  });

  it("knows runs of a process that was killed, which stay RUNNING", async () => {
    const first = await begin({ runMs: 60_000 });
    const { run_id } = await train(first, `killed-${modelName.slice(6)}`);
    await until(async () => record((await tracked(run_id)).data.metrics)["f1"] === 1);
    first.server.crash();
    const second = await begin();
    const id = `killed-${modelName.slice(6)}`;
    expect(await runsOf(second, id)).toMatchObject([
      { run_id, run_name: id, status: "RUNNING", end_time: null, params: { nepochs: "3" } },
    ]);
    expect(await metricsOf(second, id)).toMatchObject({ f1: [1] });
    await train(second, id);
    expect((await runsOf(second, id)).map((run) => run.run_id)).toEqual([expect.any(String), run_id]);
  });

  it("trains without MLflow while it is away, unless it is needed", async () => {
    const said = vi.spyOn(console, "error").mockImplementation(() => {});
    const proxy = await proxied();
    proxy.isShut = true;
    const running = await begin({ mlflow: { url: proxy.url } });
    const { experiment_id } = await train(running, "a");
    expect([experiment_id, (await endedRun(running, "a")).status]).toEqual(["1", "FINISHED"]);
    expect(said).toHaveBeenCalledWith("MLflow does not answer. The run is kept in memory only.");
    const strict = await begin({ mlflow: { url: proxy.url, isRequired: true } });
    const refused = await postForm(strict, "/evaluate", exportsForm("a"));
    expect([refused.status, await refused.json()]).toEqual([500, { message: "Cannot start a new training" }]);
    proxy.isShut = false;
    expect((await postForm(strict, "/evaluate", exportsForm("a"))).status).toBe(202);
  });

  it("writes down what MLflow missed as soon as it is back", async () => {
    const proxy = await proxied();
    const running = await begin({ mlflow: { url: proxy.url }, runMs: 150 });
    const response = await postForm(running, "/evaluate?tracking_id=e", exportsForm("a"));
    proxy.isShut = true;
    const { run_id } = (await response.json()) as RunInfo;
    await until(async () => running.server.runs()[0]?.status === "FINISHED");
    expect(await statusOf(run_id)).toBe("RUNNING");
    proxy.isShut = false;
    await until(async () => (await statusOf(run_id)) === "FINISHED");
    expect(record((await tracked(run_id)).data.metrics)).toHaveProperty("recall");
  });

  it("gives name and password, or a token", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const basic = await proxied(`Basic ${Buffer.from("admin:secret").toString("base64")}`);
    const bearer = await proxied("Bearer tok");
    const id = async (mlflow: NlpServerOptions["mlflow"]): Promise<string> => {
      const running = await begin({ mlflow });
      await train(running, "a");
      return running.server.runs()[0]?.experimentId ?? "";
    };
    const inMlflow = await id({ url: basic.url, username: "admin", password: "secret" });
    expect(await id({ url: bearer.url, token: "tok" })).toBe(inMlflow);
    // The first experiment of those that are kept in memory.
    expect(await id({ url: basic.url, username: "admin", password: "wrong" })).toBe("1");
  });
});
