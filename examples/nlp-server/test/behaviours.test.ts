import { afterEach, describe, expect, it } from "vitest";
import type { NlpServerOptions } from "../src/server.ts";
import { exportsForm, formOf, postForm } from "./forms.ts";
import { endedRun, metricsOf, type RunInfo, runsOf } from "./run-info.ts";
import { type Running, start, until } from "./running.ts";

let running: Running;

async function begin(options: NlpServerOptions): Promise<void> {
  running = await start({ engine: "echo", faults: true, ...options });
}

afterEach(() => running.close());

const supervised = (id: string): Promise<Response> =>
  postForm(running, `/train_supervised?tracking_id=${id}&epochs=2&test_size=0`, exportsForm("a"));
const unsupervised = (id: string): Promise<Response> =>
  postForm(
    running,
    `/train_unsupervised?tracking_id=${id}&log_frequency=1`,
    formOf("training_data", '["a","b"]'),
  );
const evaluate = (id: string): Promise<Response> =>
  postForm(running, `/evaluate?tracking_id=${id}`, exportsForm("c"));
const cancel = (): Promise<Response> => fetch(`${running.url}/cancel_training`, { method: "POST" });

async function only(id: string): Promise<RunInfo> {
  const [run] = await runsOf(running, id);
  if (!run) throw new Error(`There is no run ${id}.`);
  return run;
}

/** What the server itself counts, whatever its runs say. */
async function counted(id: string): Promise<unknown> {
  return (await running.stats()).trainings[id];
}

const once = (status: string): unknown => ({ begun: 1, ended: 1, statuses: { [status]: 1 } });
const over = (id: string): Promise<void> =>
  until(async () => ((await counted(id)) as { ended?: number } | undefined)?.ended === 1);
const invented = /^[a-z]+-[a-z]+-\d{1,3}$/;

describe("a server that behaves", () => {
  it("writes a training down in one run", async () => {
    await begin({ modelName: "my notes" });
    expect((await supervised("t")).status).toBe(202);
    const run = await endedRun(running, "t");
    expect(run).toMatchObject({
      status: "FINISHED",
      params: { nepochs: "2", lr_override: "None", test_size: "0", learning_rate: "1" },
      tags: {
        "training.input_data.filename": "file-0.json",
        "training.is.tracked": "True",
        "training.trainer.mode": "train",
        "training.output.model_uri": `memory:/1/${run.run_id}/artifacts/model`,
        "training.output.model_type": "nlp_echo",
      },
    });
    expect(await counted("t")).toEqual(once("FINISHED"));
  });

  it("refuses a second with one of two sentences", async () => {
    await begin({ runMs: 60_000, metacat: true });
    const { experiment_id, run_id } = (await (await supervised("one")).json()) as RunInfo;
    const refused = async (response: Response): Promise<unknown> => [response.status, await response.json()];
    const active = "Another training or evaluation on this model is still active.";
    const ids = { experiment_id, run_id };
    const later = [503, { message: `${active} Please retry your training later.`, ...ids }];
    const soon = [503, { message: `${active} Please retry later.`, ...ids }];
    expect(await refused(await supervised("two"))).toEqual(later);
    expect(await refused(await postForm(running, "/train_metacat", exportsForm("a")))).toEqual(later);
    expect(await refused(await evaluate("two"))).toEqual(soon);
    expect(await refused(await unsupervised("two"))).toEqual(soon);
    expect(await counted("two")).toBeUndefined();
  });

  it("writes metrics while it works", async () => {
    await begin({ runMs: 60_000 });
    await supervised("t");
    await until(async () => (await metricsOf(running, "t"))["f1"] !== undefined);
    expect([await only("t"), await metricsOf(running, "t")]).toMatchObject([
      { status: "RUNNING" },
      { f1: [1] },
    ]);
  });
});

describe("orphan-run", () => {
  it("leaves the run of the 202 alone, and puts the results into one of its own making", async () => {
    await begin({ behaviours: ["orphan-run"] });
    const told = (await (await supervised("a")).json()) as RunInfo;
    await over("a");
    const orphan = await only("a");
    expect(orphan).toMatchObject({ run_id: told.run_id, status: "RUNNING", end_time: null });
    expect(orphan.params["nepochs"]).toBe("2");
    expect(orphan.metrics["per_concept_tp"]).toBeDefined();
    for (const name of ["training.trainer.mode", "training.output.model_uri", "exception"]) {
      expect(orphan.tags[name]).toBeUndefined();
    }
    const [other] = running.server.runs().filter(({ name }) => name !== "a");
    expect(other).toMatchObject({
      name: expect.stringMatching(invented),
      experimentId: "0",
      status: "FINISHED",
    });
    const result = await only(other?.name ?? "");
    expect(result.tags).toMatchObject({ "training.trainer.mode": "train", "training.document.size": "2" });
    expect(result.metrics).toMatchObject({ f1: 1 });
    expect(result.metrics["per_concept_tp"]).toBeUndefined();

    // The next one of any kind makes the orphan FAILED, and its results go where the last one was.
    await unsupervised("b");
    expect((await only("a")).status).toBe("FAILED");
    await over("b");
    const last = running.server.runs().at(-1);
    expect(last).toMatchObject({ experimentId: told.experiment_id, status: "FINISHED" });
    expect(await counted("a")).toEqual(once("FINISHED"));
    await running.close();
    expect(running.server.runs().map(({ status }) => status)).toEqual([
      "FAILED",
      "FINISHED",
      "KILLED",
      "FINISHED",
    ]);
  });
});

describe("failed-while-working", () => {
  it("marks a training FAILED when one of another kind begins, and works on", async () => {
    await begin({ behaviours: ["failed-while-working"], runMs: 400 });
    await supervised("a");
    expect((await unsupervised("b")).status).toBe(202);
    expect(await only("a")).toMatchObject({
      status: "FAILED",
      tags: expect.not.objectContaining({ exception: "" }),
    });
    // The run is over, and the trainer is not.
    const busy = await evaluate("c");
    expect([busy.status, ((await busy.json()) as RunInfo).run_id]).toEqual([503, (await only("a")).run_id]);
    await over("a");
    expect(await counted("a")).toEqual(once("FINISHED"));
    const unnamed = running.server.runs().filter(({ name }) => invented.test(name));
    expect(unnamed).toMatchObject([{ status: "FINISHED" }]);
    expect((await endedRun(running, "b")).status).toBe("FINISHED");
  });
});

describe("parallel", () => {
  it("accepts trainings of different kinds, and each ends its own run", async () => {
    await begin({ behaviours: ["parallel"], runMs: 200 });
    const statuses = [await supervised("a"), await unsupervised("b"), await evaluate("c")];
    expect(statuses.map(({ status }) => status)).toEqual([202, 202, 503]);
    expect([(await endedRun(running, "a")).status, (await endedRun(running, "b")).status]).toEqual([
      "FINISHED",
      "FINISHED",
    ]);
  });
});

describe("deaf-cancel", () => {
  it("answers 202, and a supervised training goes on to its end", async () => {
    await begin({ behaviours: ["deaf-cancel"], runMs: 200 });
    await supervised("a");
    expect((await cancel()).status).toBe(202);
    expect((await endedRun(running, "a")).status).toBe("FINISHED");
    await unsupervised("b");
    expect((await cancel()).status).toBe(202);
    expect((await endedRun(running, "b")).status).toBe("KILLED");
  });
});

describe("busy-after-end", () => {
  it("refuses others after the run has its end, and names it", async () => {
    await begin({ behaviours: [{ name: "busy-after-end", ms: 300 }] });
    await supervised("a");
    const { run_id } = await endedRun(running, "a");
    const refused = await evaluate("b");
    expect([refused.status, await refused.json()]).toMatchObject([503, { run_id }]);
    await until(async () => (await evaluate("b")).status === 202);
  });
});

describe("no-save", () => {
  it("ends a training FAILED, and leaves the model as it was", async () => {
    await begin({ behaviours: ["no-save"] });
    await supervised("a");
    expect(await endedRun(running, "a")).toMatchObject({
      status: "FAILED",
      tags: { exception: "The model could not be saved: no space left on device" },
    });
    expect(await (await running.post("/process", "Buenos Aires")).json()).toMatchObject({ annotations: [] });
    await evaluate("b");
    expect((await endedRun(running, "b")).status).toBe("FINISHED");
  });
});

describe("an answer that gets lost", () => {
  const told = async (id: string): Promise<unknown> => {
    const response = await supervised(id).catch(() => undefined);
    return response && [response.status, response.headers.get("content-type"), await response.text()];
  };
  const notice = '{"message":"Your training started successfully.","training_id":"a"}';

  it.each([
    ["lose-accept", undefined],
    ["fail-accept", [500, "application/json", '{"message":"Internal Server Error"}']],
    ["html-accept", [202, "text/html; charset=utf-8", expect.stringMatching(/^<!DOCTYPE html>/)]],
    ["nameless-accept", [202, "application/json", notice]],
  ])("%s: the training was begun all the same, and once", async (name, answer) => {
    await begin({});
    const response = await fetch(`${running.url}/_behaviour`, {
      method: "POST",
      body: JSON.stringify({ name, next: 1 }),
    });
    expect(await response.json()).toEqual({ behaviours: [{ name, next: 1, ms: 1_000, share: 1 }] });
    expect(await told("a")).toEqual(answer);
    await over("a");
    expect([await counted("a"), (await only("a")).status]).toEqual([once("FINISHED"), "FINISHED"]);
    expect((await supervised("b")).status).toBe(202);
  });

  it("slow-accept: it comes after the training may long be over", async () => {
    await begin({ behaviours: [{ name: "slow-accept", ms: 300 }] });
    let isAnswered = false;
    const answer = supervised("a").finally(() => {
      isAnswered = true;
    });
    await over("a");
    expect(isAnswered).toBe(false);
    expect((await answer).status).toBe(202);
  });
});

describe("the switches", () => {
  it("are listed, switched off one by one or all, and refused when there is no such thing", async () => {
    await begin({ behaviours: ["no-save", "parallel", { name: "lose-accept", share: 0 }] });
    expect((await supervised("a")).status).toBe(202);
    const names = async (method: string, query = ""): Promise<string[]> => {
      const response = await fetch(`${running.url}/_behaviour${query}`, { method });
      return ((await response.json()) as { behaviours: { name: string }[] }).behaviours.map(
        ({ name }) => name,
      );
    };
    expect(await names("GET")).toEqual(["no-save", "parallel", "lose-accept"]);
    expect(await names("DELETE", "?name=parallel")).toEqual(["no-save", "lose-accept"]);
    expect(await names("DELETE")).toEqual([]);
    for (const body of [
      "x",
      '"none"',
      '{"name":"parallel","ms":-1}',
      '{"name":"parallel","share":2}',
      '{"name":"parallel","a":1}',
    ]) {
      expect((await fetch(`${running.url}/_behaviour`, { method: "POST", body })).status).toBe(400);
    }
  });

  it("a crash leaves runs as they are, a stop does not", async () => {
    await begin({ runMs: 60_000 });
    await supervised("a");
    running.server.crash();
    await new Promise(setImmediate);
    expect(running.server.stats().trainings["a"]).toEqual({ begun: 1, ended: 0, statuses: {} });
    expect(running.server.runs()).toMatchObject([{ status: "RUNNING" }]);
    await begin({ runMs: 60_000 });
    await supervised("a");
    await running.close();
    expect(running.server.runs()).toMatchObject([{ status: "KILLED" }]);
  });
});

describe("the rate limit", () => {
  it("lets half of what is configured through, by path, and says no more than that it was too much", async () => {
    await begin({ rateLimit: 12 });
    const statuses = async (path: string, body: string, type: string): Promise<number[]> => {
      const all: number[] = [];
      for (let count = 0; count < 8; count += 1) all.push((await running.post(path, body, type)).status);
      return all;
    };
    expect(await statuses("/process", "a", "text/plain")).toEqual([200, 200, 200, 200, 200, 200, 429, 429]);
    expect(await statuses("/process_bulk", "[]", "application/json")).toEqual([
      200, 200, 200, 429, 429, 429, 429, 429,
    ]);
    expect(await statuses("/preview", "a", "text/plain")).not.toContain(429);
    const refused = await running.post("/process", "a");
    expect([refused.headers.get("retry-after"), await refused.json()]).toEqual([
      null,
      { message: "Too many requests. Please wait and try your request again." },
    ]);
  });
});
