import { afterEach, describe, expect, it } from "vitest";
import type { NlpServerOptions } from "../src/server.ts";
import { exportsForm, formOf, postForm } from "./forms.ts";
import { type Running, start, until } from "./running.ts";

interface RunInfo {
  run_id: string;
  run_name: string;
  status: string;
  start_time: number;
  end_time: number | null;
  tags: Record<string, string>;
  metrics: Record<string, number>;
}

let running: Running;

async function begin(options: NlpServerOptions = {}): Promise<void> {
  running = await start(options);
}

afterEach(() => running.close());

const post = (path: string, form: FormData): Promise<Response> => postForm(running, path, form);

async function runsOf(id: string): Promise<RunInfo[]> {
  return (await (await fetch(`${running.url}/train_eval_info?train_eval_id=${id}`)).json()) as RunInfo[];
}

async function ended(id: string): Promise<RunInfo> {
  await until(async () => (await runsOf(id))[0]?.status !== "RUNNING");
  const [run] = await runsOf(id);
  if (!run) throw new Error(`There is no run ${id}.`);
  return run;
}

async function metricsOf(id: string): Promise<Record<string, unknown>> {
  const answer = await fetch(`${running.url}/train_eval_metrics?train_eval_id=${id}`);
  return ((await answer.json()) as Record<string, unknown>[])[0] ?? {};
}

describe("POST /evaluate", () => {
  it("answers at once and measures the model in the background", async () => {
    await begin();
    const response = await post("/evaluate?tracking_id=eval-1", exportsForm("a"));
    const accepted = (await response.json()) as Record<string, string>;
    expect([response.status, accepted]).toEqual([
      202,
      {
        message: "Your evaluation started successfully.",
        evaluation_id: "eval-1",
        experiment_id: "1",
        run_id: expect.stringMatching(/^[0-9a-f]{32}$/),
      },
    ]);
    const run = await ended("eval-1");
    expect(run).toMatchObject({
      run_id: accepted["run_id"],
      run_name: "eval-1",
      status: "FINISHED",
      // 8 of the 10 entities that the model finds are right, and 8 of the 9 that the annotators accepted are found.
      metrics: { precision: 0.8, recall: 8 / 9, f1: expect.closeTo(16 / 19, 12) },
    });
    expect(run.tags).toMatchObject({
      "mlflow.runName": "eval-1",
      "training.trainer.mode": "eval",
      "training.document.size": "2",
      "training.input_data.filename": "file-0.json",
    });
    expect(run.end_time).toBeGreaterThanOrEqual(run.start_time);
    expect(await metricsOf("eval-1")).toMatchObject({
      concepts: ["CARDINAL", "DATE", "PERSON", "PLACE", "TIME"],
      per_concept_tp: [0, 3, 2, 2, 1],
      per_concept_fp: [1, 0, 0, 1, 0],
      per_concept_fn: [0, 0, 1, 0, 0],
      precision: [0.8],
    });
  });

  it("ends as failed when the export cannot be measured", async () => {
    await begin({ engine: "echo" });
    const source = '{"projects":[{"id":1,"documents":[{"id":1,"annotations":[]}]}]}';
    expect((await post("/evaluate?tracking_id=bad", formOf("trainer_export", source))).status).toBe(202);
    expect(await ended("bad")).toMatchObject({ status: "FAILED", tags: { exception: "'text'" } });
  });
});

describe("a run", () => {
  it("keeps the next one out, and not other work", async () => {
    await begin({ runMs: 60_000 });
    const first = (await (await post("/evaluate?tracking_id=one", exportsForm("a"))).json()) as {
      experiment_id: string;
      run_id: string;
    };
    const { experiment_id, run_id } = first;
    const evaluation = await post("/evaluate?tracking_id=two", exportsForm("c"));
    const active = "Another training or evaluation on this model is still active.";
    expect([evaluation.status, await evaluation.json()]).toEqual([
      503,
      { message: `${active} Please retry later.`, experiment_id, run_id },
    ]);
    const training = await post("/train_supervised", exportsForm("c"));
    expect([training.status, await training.json()]).toEqual([
      503,
      { message: `${active} Please retry your training later.`, experiment_id, run_id },
    ]);
    const unknown = await fetch(`${running.url}/train_eval_info?train_eval_id=two`);
    expect([unknown.status, await unknown.json()]).toEqual([404, []]);
    expect((await running.post("/process", "John Smith")).status).toBe(200);
    expect(await runsOf("one")).toMatchObject([{ status: "RUNNING", end_time: null }]);
  });

  it("is stopped by /cancel_training, which then has nothing more to stop", async () => {
    await begin({ runMs: 60_000 });
    const cancel = (): Promise<Response> => fetch(`${running.url}/cancel_training`, { method: "POST" });
    await post("/evaluate?tracking_id=one", exportsForm("a"));
    const answer = await cancel();
    expect([answer.status, await answer.json()]).toEqual([
      202,
      { message: "The in-progress training will be stopped momentarily." },
    ]);
    expect((await ended("one")).status).toBe("KILLED");
    const idle = await cancel();
    expect([idle.status, await idle.json()]).toEqual([
      400,
      {
        message: "Cannot find in-progress training or no trainers are enabled for the running model.",
      },
    ]);
    expect((await post("/evaluate?tracking_id=two", exportsForm("a"))).status).toBe(202);
  });

  it("may share its id with another; the newest comes first", async () => {
    await begin({ engine: "echo" });
    await post("/evaluate?tracking_id=same", exportsForm("a"));
    await ended("same");
    await post("/train_supervised?tracking_id=same", exportsForm("c"));
    await ended("same");
    expect((await runsOf("same")).map(({ tags }) => tags["training.trainer.mode"])).toEqual([
      "train",
      "eval",
    ]);
  });

  it("is asked for by its id", async () => {
    await begin({ engine: "echo" });
    expect((await fetch(`${running.url}/train_eval_info`)).status).toBe(422);
    expect((await fetch(`${running.url}/train_eval_metrics?train_eval_id=x`)).status).toBe(404);
  });
});

describe("POST /train_supervised", () => {
  it("learns phrases from an export and measures on the documents that it held back", async () => {
    await begin();
    const document = (id: number): unknown => ({
      id,
      text: "Her husband came along.",
      // The last document is held back, so nobody learns that "along" should be a place.
      annotations: [
        { start: 0, end: 11, cui: "PERSON" },
        ...(id === 4 ? [{ start: 17, end: 22, cui: "PLACE" }] : []),
      ],
    });
    const source = JSON.stringify({ projects: [{ id: 1, documents: [1, 2, 3, 4].map(document) }] });
    const form = formOf("trainer_export", source);
    form.append("description", "relatives");
    const response = await post("/train_supervised?tracking_id=t&epochs=2&test_size=0.25", form);
    expect([response.status, await response.json()]).toMatchObject([
      202,
      { message: "Your training started successfully.", training_id: "t" },
    ]);
    expect((await ended("t")).tags).toMatchObject({
      "mlflow.note.content": "relatives",
      "training.trainer.mode": "train",
    });
    // The model alone does not take "Her husband" for a person.
    expect(await metricsOf("t")).toMatchObject({
      phrases: [1, 1],
      recall: [0.5, 0.5],
      concepts: ["PERSON", "PLACE"],
      // One value for each concept, at the end, as in CMS.
      per_concept_tp: [1, 0],
    });
    const trained = await running.post("/process", "Her husband came along.");
    expect(await trained.json()).toMatchObject({
      annotations: [{ text: "Her husband", label_id: "PERSON" }],
    });
  });

  it("refuses parameters out of range", async () => {
    await begin({ engine: "echo" });
    const response = await post("/train_supervised?epochs=-1&test_size=x", exportsForm("a"));
    expect(response.status).toBe(422);
    const { detail } = (await response.json()) as { detail: { type: string }[] };
    expect(detail.map(({ type }) => type)).toEqual(["greater_than_equal", "float_parsing"]);
  });
});

describe("the other trainings", () => {
  it("count words batch by batch in /train_unsupervised", async () => {
    await begin({ engine: "echo" });
    const form = formOf("training_data", '["a fever","a cough"]', '["fever"]');
    await post("/train_unsupervised?tracking_id=u&log_frequency=2", form);
    await ended("u");
    expect(await metricsOf("u")).toEqual({
      concepts: [],
      number_of_concepts: [0, 0],
      number_of_docs: [2, 3],
      number_of_names: [0, 0],
      number_of_tokens: [4, 5],
      number_of_words: [3, 3],
    });
  });
});
