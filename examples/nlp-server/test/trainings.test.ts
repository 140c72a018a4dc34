import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { NlpServerOptions } from "../src/server.ts";
import { formOf, postForm } from "./forms.ts";
import { tarOf, zipOf } from "./packages.ts";
import { endedRun, metricsOf } from "./run-info.ts";
import { type Running, start } from "./running.ts";

let running: Running;

/** A server of its own for each test: trainings change what it answers. */
function useServer(options: NlpServerOptions): void {
  beforeEach(async () => {
    running = await start(options);
  });

  afterEach(() => running.close());
}

interface Found {
  text: string;
  label_id: string;
  label_name: string;
  meta_anns: Record<string, { value: string; confidence: number; name: string }>;
}

async function found(text: string): Promise<Found[]> {
  const response = await running.post("/process", text);
  return ((await response.json()) as { annotations: Found[] }).annotations;
}

async function labels(text: string): Promise<string[][]> {
  return (await found(text)).map((each) => [each.text, each.label_id]);
}

async function train(path: string, form: FormData, id = "t"): Promise<string> {
  const separator = path.includes("?") ? "&" : "?";
  const response = await postForm(running, `${path}${separator}tracking_id=${id}`, form);
  expect([response.status, await response.json()]).toMatchObject([202, { training_id: id }]);
  return (await endedRun(running, id)).status;
}

interface Mark {
  phrase: string;
  cui: string;
  correct?: boolean;
  meta?: Record<string, string>;
}

/** An export with one annotation in each text. */
function exportOf(...documents: readonly (readonly [text: string, ...marks: Mark[]])[]): FormData {
  const list = documents.map(([text, ...marks], index) => ({
    id: index + 1,
    text,
    annotations: marks.map(({ phrase, cui, correct = true, meta = {} }) => {
      const start = [...text.slice(0, text.indexOf(phrase))].length;
      const values = Object.entries(meta).map(([name, value]) => [name, { name, value }]);
      const end = start + [...phrase].length;
      return { start, end, cui, correct, killed: !correct, meta_anns: Object.fromEntries(values) };
    }),
  }));
  return formOf("trainer_export", JSON.stringify({ projects: [{ id: 1, documents: list }] }));
}

const drug = (phrase: string): Mark => ({ phrase, cui: "DRUG" });
const drugs = (): FormData =>
  exportOf(
    ["😀 She takes metformin daily.", drug("metformin")],
    ["He takes aspirin daily.", drug("aspirin")],
    ["She takes ibuprofen daily.", drug("ibuprofen")],
    ["He takes bisoprolol daily.", drug("bisoprolol")],
    ["She walks daily."],
  );

describe("a supervised training", () => {
  useServer({ metacat: true });

  it("teaches the served model what annotators marked, and what is like it", async () => {
    const text = "She takes warfarin daily, not Metformin.";
    expect(await labels(text)).toEqual([]);
    expect(await train("/train_supervised?epochs=5&test_size=0", drugs())).toBe("FINISHED");
    expect(await labels(text)).toEqual([
      ["warfarin", "DRUG"],
      ["Metformin", "DRUG"],
    ]);
    expect(await labels("She walks daily.")).toEqual([]);
    const redacted = await running.post("/redact", "He takes aspirin daily.");
    expect(await redacted.text()).toBe("He takes [DRUG] daily.");
  });

  it("keeps what an earlier one taught", async () => {
    await train("/train_supervised?test_size=0", drugs(), "one");
    const second = exportOf(["Ward Seven was full.", { phrase: "Ward Seven", cui: "PLACE" }]);
    await train("/train_supervised?test_size=0", second, "two");
    expect(await labels("aspirin at Ward Seven")).toEqual([
      ["aspirin", "DRUG"],
      ["Ward Seven", "PLACE"],
    ]);
  });

  it("learns from what annotators refused, and from another label of theirs", async () => {
    const text = "Seen in Berlin on 12 March 2024.";
    expect(await labels(text)).toEqual([
      ["Berlin", "PLACE"],
      ["12 March 2024", "DATE"],
    ]);
    const form = exportOf([
      text,
      { phrase: "Berlin", cui: "WARD" },
      { phrase: "12 March 2024", cui: "DATE", correct: false },
    ]);
    await train("/train_supervised?test_size=0", form);
    expect(await labels(text)).toEqual([["Berlin", "WARD"]]);
  });

  it("leaves the model as it is with no epochs, and measures it", async () => {
    expect(await train("/train_supervised?epochs=0", drugs())).toBe("FINISHED");
    expect(await labels("He takes aspirin daily.")).toEqual([]);
    expect((await endedRun(running, "t")).tags["training.trainer.mode"]).toBe("eval");
    expect(await metricsOf(running, "t")).toMatchObject({ recall: [0], concepts: ["DRUG"] });
  });

  it("measures after every log_frequency epochs and at the end, and stops early when nothing gets better", async () => {
    await train("/train_supervised?epochs=5&log_frequency=2&test_size=0", drugs(), "often");
    expect(await metricsOf(running, "often")).toMatchObject({ phrases: [4, 4, 4] });
    await train("/train_supervised?epochs=50&early_stopping_patience=2&test_size=0", drugs(), "early");
    const { f1 } = (await metricsOf(running, "early")) as { f1: number[] };
    expect(f1).toHaveLength(3);
  });

  it("learns less from an example at a lower rate", async () => {
    await train("/train_supervised?epochs=5&test_size=0&lr_override=0.0001", drugs());
    expect(await labels("She takes warfarin daily.")).toEqual([]);
    expect((await endedRun(running, "t")).params).toMatchObject({ lr_override: "0.0001", nepochs: "5" });
  });
});

const texts = [
  "Referred to Northfield General Hospital (NGH) by Dr Okafor.",
  "Dr Okafor saw him again. NGH will write.",
  "Dr Okafor left.",
];
const rows = texts.map((note) => JSON.stringify({ id: 1, note })).join("\n");

describe("an unsupervised training", () => {
  useServer({ metacat: true });

  it("teaches names that stand alone, and abbreviations", async () => {
    const text = "Okafor phoned, and QGH answered.";
    expect(await labels(text)).not.toContainEqual(["Okafor", "PERSON"]);
    const form = formOf(
      "training_data",
      JSON.stringify(texts).replaceAll("NGH", "QGH").replaceAll("Northfield", "Queens"),
    );
    expect(await train("/train_unsupervised", form)).toBe("FINISHED");
    expect(await labels(text)).toEqual([
      ["Okafor", "PERSON"],
      ["QGH", "ORGANISATION"],
    ]);
    expect(await metricsOf(running, "t")).toMatchObject({
      number_of_docs: [3],
      number_of_names: [2],
      number_of_concepts: [2],
      concepts: ["ORGANISATION", "PERSON"],
      per_concept_train_count_before: [0, 0],
      per_concept_train_count_after: [1, 1],
    });
  });

  it("measures how many words of held back texts it knows", async () => {
    const form = formOf("training_data", JSON.stringify([...texts, "Dr Okafor hesitated."]));
    await train("/train_unsupervised?test_size=0.25&log_frequency=2", form);
    const metrics = await metricsOf(running, "t");
    expect(metrics).toMatchObject({ number_of_docs: [2, 3], vocabulary_coverage: [2 / 3] });
  });

  const csv = `id,note\r\n${texts.map((note) => `1,"${note} ""so"""`).join("\r\n")}\r\n`;
  it.each([
    ["a ZIP file", "set.zip", zipOf({ "set/train.jsonl": rows })],
    ["a tarball", "set.tar.gz", gzipSync(tarOf({ "./set/train.csv": csv, "set/README.md": "#" }))],
    ["JSON", "set.zip", zipOf({ "train.json": JSON.stringify(texts.map((note) => ({ note }))) })],
  ])("learns the same from a packed dataset: %s", async (_, name, bytes) => {
    const form = new FormData();
    form.append("hf_dataset_package", new Blob([new Uint8Array(bytes)]), name);
    const path = "/train_unsupervised_with_hf_hub_dataset?text_column_name=note&test_size=0";
    expect(await train(path, form)).toBe("FINISHED");
    expect(await labels("Okafor phoned.")).toEqual([["Okafor", "PERSON"]]);
    expect((await endedRun(running, "t")).tags).toMatchObject({
      "training.input_data.filename": name,
      "training.document.size": "3",
    });
  });

  it("reads what tar makes, also where names are long", async () => {
    const folder = mkdtempSync(join(tmpdir(), "dataset-"));
    const inner = join(folder, "a".repeat(80), "b".repeat(80));
    mkdirSync(inner, { recursive: true });
    writeFileSync(join(inner, "train.jsonl"), rows);
    writeFileSync(join(folder, "z.txt"), "no rows");
    for (const format of ["gnu", "pax", "ustar"]) {
      const args = ["-cz", `--format=${format}`, "-C", folder, "a".repeat(80), "z.txt"];
      const form = new FormData();
      form.append("hf_dataset_package", new Blob([new Uint8Array(execFileSync("tar", args))]), "set.tar.gz");
      const path = "/train_unsupervised_with_hf_hub_dataset?text_column_name=note";
      expect([format, await train(path, form, format)]).toEqual([format, "FINISHED"]);
    }
    rmSync(folder, { recursive: true });
  });
});

describe("a packed dataset", () => {
  useServer({ engine: "echo" });

  it.each([
    ["no source", "", undefined, 400, "Either 'hf_dataset_repo_id' or 'hf_dataset_package' must be provided"],
    [
      "a repository only",
      "?hf_dataset_repo_id=a/b",
      undefined,
      500,
      "Couldn't reach 'a/b' on the Hub (ConnectionError)",
    ],
    ["no archive", "", Buffer.from("text"), 400, "Failed to extract the uploaded training dataset"],
    [
      "no such column",
      "?text_column_name=x",
      zipOf({ "a.jsonl": rows }),
      400,
      "The dataset does not contain a 'x' column in the split(s)",
    ],
    [
      "no rows",
      "",
      zipOf({ "a.parquet": "PAR1" }),
      400,
      "The dataset has no rows; put them in files ending in .jsonl, .ndjson, .json or .csv",
    ],
  ])("refuses a dataset with %s", async (_, query, bytes, status, message) => {
    const form = new FormData();
    if (bytes) form.append("hf_dataset_package", new Blob([new Uint8Array(bytes)]), "set.zip");
    const response = await postForm(running, `/train_unsupervised_with_hf_hub_dataset${query}`, form);
    expect([response.status, await response.json()]).toEqual([status, { message }]);
  });
});

describe("a training of meta models", () => {
  useServer({ metacat: true });

  const status = (text: string, value: string): readonly [string, Mark] => [
    text,
    { phrase: "Berlin", cui: "PLACE", meta: { Status: value } },
  ];
  const form = (): FormData =>
    exportOf(
      status("He lives in Berlin.", "Affirmed"),
      status("She comes from Berlin.", "Affirmed"),
      status("He has never been to Berlin.", "Other"),
      status("She was never in Berlin.", "Other"),
    );

  it("teaches what is said of an entity", async () => {
    expect((await found("He lives in Paris."))[0]?.meta_anns).toEqual({});
    expect(await train("/train_metacat?epochs=4", form())).toBe("FINISHED");
    const meta = { value: "Affirmed", name: "Status", confidence: expect.any(Number) };
    expect((await found("He lives in Paris."))[0]?.meta_anns).toEqual({ Status: meta });
    expect((await found("He was never in Paris."))[0]?.meta_anns).toMatchObject({
      Status: { value: "Other" },
    });
    expect(await metricsOf(running, "t")).toMatchObject({ status_accuracy: [0.5, 0.75, 1, 1] });
  });

  it("fails as in CMS when the export has none", async () => {
    expect(await train("/train_metacat", drugs())).toBe("FAILED");
    expect((await endedRun(running, "t")).tags["exception"]).toMatch(/^No metacat model has been retrained/);
  });

  it("is not there unless it is switched on", async () => {
    const plain = await start({ engine: "echo" });
    const response = await postForm(plain, "/train_metacat", form());
    expect([response.status, await response.json()]).toEqual([404, { detail: "Not Found" }]);
    await plain.close();
  });
});
