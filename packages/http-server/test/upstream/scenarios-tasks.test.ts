import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { SHARED_STORES } from "../command/test-stores.ts";
import { type BuiltCommand, buildCommand } from "../support/build-command.ts";
import type { Part } from "../support/forms.ts";
import { call } from "../support/http-client.ts";
import { ended, formOf, resultOf, run, type Sent, send, submit, submitted } from "./callers.ts";
import { tarGz } from "./tar-gz.ts";
import { type NlpServers, openWorld, startNlpServers, type World } from "./world.ts";

// The scenarios of tasks by which CogStack's own gateway is tested, by HTTP alone and with what is at hand here: a real
// model server that trains, and a real MLflow.

const mlflow = requireService("MLFLOW_URL") ?? "";

const NOTE = "John Smith was seen in Berlin on 12 March 2024.";
const exportFile = (name: string): string =>
  readFileSync(
    new URL(`../../../../examples/nlp-server/notes/trainer-export-${name}.json`, import.meta.url),
    "utf8",
  );
const file = (name: string, content: string | Buffer, filename = "file.json"): Part => ({
  ...{ name, content, filename, type: "application/octet-stream" },
});
const exportsOf = (...names: readonly string[]): Part[] =>
  names.map((name) => file("trainer_export", exportFile(name), `${name}.json`));
const text = (task: string, query?: string): Sent => ({
  ...{ task, contentType: "text/plain", body: NOTE },
  ...(query !== undefined && { query }),
});

describe.skipIf(mlflow === "")("the scenarios of tasks", () => {
  let built: BuiltCommand;
  let servers: NlpServers;
  let world: World;
  let url: string;

  beforeAll(async () => {
    [built, servers] = await Promise.all([buildCommand(), startNlpServers({ mlflow: { url: mlflow } })]);
    const [store] = SHARED_STORES;
    if (store === undefined) throw new Error("there is no store");
    world = await openWorld({
      ...{ file: built.file, store: await store.make() },
      servers: { notes: servers.notes, pupil: servers.pupil },
      settings: { mlflow: { url: mlflow } },
    });
    url = world.url;
  }, 60_000);
  afterAll(() => Promise.all([world?.close(), servers?.close(), built?.remove()]));

  it("greets, and says that it is healthy", async () => {
    expect((await call(url, "/")).json).toEqual({ message: "Enter the cult... I mean, the API." });
    const health = await call(url, "/health");
    expect(health.status).toBe(200);
    expect(health.json).toMatchObject({
      status: "healthy",
      components: {
        ...{ database: "healthy", queue: "healthy" },
        ...{ task_object_store: "healthy", results_object_store: "healthy" },
      },
    });
  });

  it("lists no tasks for everybody, and knows none that nobody submitted", async () => {
    const list = await call(url, "/tasks/");
    expect([list.status, list.json.detail]).toEqual([403, "Only admins can list tasks"]);
    const none = await call(url, "/tasks/nobody");
    expect([none.status, none.json.detail]).toEqual([404, "Task 'nobody' not found"]);
  });

  it("shows a task as far as it is asked for", async () => {
    const id = await submitted(url, "notes", text("process"));
    const details = await ended(url, id);
    expect((await call(url, `/tasks/${id}`)).json).toEqual({ uuid: id, status: "succeeded" });
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/);
    expect(details).toEqual({
      ...{ uuid: id, status: "succeeded", model: "notes", type: "process" },
      ...{ source: expect.stringMatching(/^ip=127\.0\.0\.1; ua=/), result: `${id}_results.json` },
      ...{ created_at: time, started_at: time, finished_at: time },
      ...{ error_message: null, tracking_id: null },
    });
  });

  it("lists the one server that stands there, shows it, and passes on what it says of itself", async () => {
    const { running } = (await call(url, "/models/")).json;
    expect(running.filter(({ name }: { name: string }) => name === "notes")).toEqual([
      expect.objectContaining({ name: "notes", is_running: true }),
    ]);
    const { json } = await call(url, "/models/notes?verbose=true");
    expect(json).toMatchObject({
      ...{ name: "notes", is_running: true, deployment_type: "static", model_type: json.runtime.model_type },
      runtime: { api_version: "0.3.0" },
    });
    const info = await call(url, "/models/notes/info");
    expect(info.text).toBe((await call(servers.notes, "/info")).text);
    for (const key of ["api_version", "model_type", "model_description", "model_card"])
      expect(info.json).toHaveProperty(key);
  });

  it("looks at the name of a task before it looks at its content type", async () => {
    const answer = await submit(url, "notes", { task: "unsupported-task", contentType: "dummy", body: "a" });
    expect(answer.status).toBe(404);
    expect(answer.json.detail).toMatch(/^Task 'unsupported-task' not found\. Supported tasks are:/);
  });

  describe("of inference", () => {
    const labels = (annotations: readonly { label_name: string }[]) =>
      annotations.map(({ label_name }) => label_name);

    it("annotates a text, lines, a list and a file of texts", async () => {
      expect(labels((await run(url, "notes", text("process"))).json.annotations)).toEqual([
        ...["Person", "Place", "Date"],
      ]);
      const lines = ["0", "1"].map((name) => JSON.stringify({ name, text: NOTE })).join("\n");
      const jsonl = { task: "process_jsonl", contentType: "application/x-ndjson", body: lines };
      const found = (await run(url, "notes", jsonl)).text.trimEnd().split("\n");
      expect(found.map((line) => JSON.parse(line).doc_name)).toEqual(["0", "0", "0", "1", "1", "1"]);
      const both = JSON.stringify([NOTE, "Berlin"]);
      const bulk = await run(url, "notes", {
        task: "process_bulk",
        contentType: "application/json",
        body: both,
      });
      const bulkFile = await run(url, "notes", formOf("process_bulk_file", [file("multi_text_file", both)]));
      expect(bulk.json).toEqual(bulkFile.json);
      expect(bulk.json.map(({ text }: { text: string }) => text)).toEqual([NOTE, "Berlin"]);
    });

    it("redacts, and encrypts what it redacted", async () => {
      expect((await run(url, "notes", text("redact"))).text).toBe("[Person] was seen in [Place] on [Date].");
      const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 });
      const { json } = await run(url, "notes", {
        ...{ task: "redact_with_encryption", contentType: "application/json" },
        body: JSON.stringify({
          text: NOTE,
          public_key_pem: publicKey.export({ type: "spki", format: "pem" }),
        }),
      });
      expect(json.redacted_text).toBe("[REDACTED_0] was seen in [REDACTED_1] on [REDACTED_2].");
      expect(json.encryptions[0]).toMatchObject({ label: "[REDACTED_0]", encryption: expect.any(String) });
    });

    it("previews a text and the documents of exports", async () => {
      expect((await run(url, "notes", text("preview"))).text).toMatch(/^<div.*<\/div>$/s);
      const { text: html } = await run(url, "notes", formOf("preview_trainer_export", exportsOf("a", "c")));
      const wanted = ["a", "c"].flatMap((name) =>
        JSON.parse(exportFile(name)).projects.flatMap(
          (project: { documents: readonly unknown[] }) => project.documents,
        ),
      );
      expect(html.match(/P\d+\/D\d+/g)).toHaveLength(wanted.length);
    });

    it("measures exports and puts them together", async () => {
      const measured = async (task: string, names: readonly string[], query?: string) =>
        (await run(url, "notes", formOf(task, exportsOf(...names), query))).text.split("\n")[0];
      expect(await measured("sanity-check", ["a"])).toBe("concept,name,precision,recall,f1");
      expect(
        await measured(
          "iaa-scores",
          ["a", "b"],
          "annotator_a_project_id=1&annotator_b_project_id=2&scope=per_concept",
        ),
      ).toBe("concept,iaa_percentage,cohens_kappa,iaa_percentage_meta,cohens_kappa_meta");
      expect(await measured("annotation-stats", ["c"])).toBe(
        "concept,anno_count,anno_unique_counts,anno_ignorance_counts",
      );
      const joined = (await run(url, "notes", formOf("concat_trainer_exports", exportsOf("a", "c")))).json;
      const projects = ["a", "c"].flatMap((name) => JSON.parse(exportFile(name)).projects);
      expect(joined).toEqual({ projects });
    });

    it("leaves nothing waiting", async () => {
      await Promise.all(Array.from({ length: 8 }, () => run(url, "notes", text("process"))));
      const { tasks } = (await send(url, "GET", "/tasks/?status=pending")).json;
      expect(tasks.filter(({ model }: { model: string }) => model === "notes")).toEqual([]);
    });
  });

  describe("of trainings", () => {
    const description: Part = { name: "description", content: "of this test" };
    const dataset = tarGz("train.csv", `text\n"${NOTE}"\n"A second, with a comma."\n`);
    const trainings: readonly Sent[] = [
      formOf("train_supervised", [...exportsOf("a"), description], "epochs=1&test_size=0.2&log_frequency=1"),
      formOf("train_unsupervised", [file("training_data", JSON.stringify([NOTE]))], "log_frequency=1"),
      formOf("train_unsupervised_with_hf_hub_dataset", [file("hf_dataset_package", dataset, "data.tar.gz")]),
      formOf("evaluate", exportsOf("a")),
    ];

    it.each(trainings)("$task ends with what MLflow knows of its run", async (sent) => {
      const id = await submitted(url, "pupil", sent);
      const details = await ended(url, id);
      expect(details).toMatchObject({ status: "succeeded", error_message: null, type: sent.task });
      const { json } = await resultOf(url, id);
      expect(Object.keys(json).sort()).toEqual([
        ...["artifacts", "error", "metrics", "params", "run", "tags", "timing"],
      ]);
      expect(json.run).toMatchObject({
        ...{ run_id: details.tracking_id, run_name: id, status: "FINISHED", lifecycle_stage: "active" },
      });
      expect(json.error).toBe(null);
      expect(json.run.internal_url).toMatch(
        new RegExp(`#/experiments/${json.run.experiment_id}/runs/${json.run.run_id}$`),
      );
      expect((await fetch(json.run.internal_url)).status).toBe(200);
      const known = await fetch(`${mlflow}/api/2.0/mlflow/runs/get?run_id=${json.run.run_id}`);
      const { run } = (await known.json()) as {
        run: { data: Record<string, { key: string; value: unknown }[]> };
      };
      for (const kind of ["params", "tags", "metrics"]) {
        const pairs = (run.data[kind] ?? []).map(({ key, value }) => [key, value]);
        expect(json[kind]).toEqual(Object.fromEntries(pairs));
      }
    });
  });
});
