import { readFileSync } from "node:fs";
import { formBody, type Part } from "../support/forms.ts";
import { tarGz } from "./tar-gz.ts";

/** One request to a model server, and the same as a task. */
export interface Case {
  readonly name: string;
  readonly contentType: string;
  readonly body: string | Buffer;
  readonly query?: string;
}

/** Tasks that answer the same when they are asked the same, with how a server is asked for them. */
export interface TaskCases {
  readonly task: string;
  readonly method?: "GET";
  readonly cases: readonly Case[];
}

const BOUNDARY = "a-boundary-of-this-test";
const FORM = `multipart/form-data; boundary=${BOUNDARY}`;
const TEXT = "text/plain";
const JSON_TYPE = "application/json";
const NDJSON = "application/x-ndjson";
/** Names of files in answers are made of it; without it each answer would have another. */
const ID = "tracking_id=an%20id";

const NOTE = "😀 Né le 12 March 2024: John Smith was seen in Berlin.";
const WITH_CRLF = "John Smith\r\nwas seen\r\n\r\nin Berlin on 12 March 2024.\r\n";
const LATIN_1 = Buffer.from("Né à Berlin. John Smith was seen.", "latin1");
/** A boundary of UTF-8 is a boundary of pieces, too, for whoever reads them one by one. */
const LONG = "Étienne 😀 met John Smith in Berlin. ".repeat(120);

const exportFile = (name: string): string =>
  readFileSync(
    new URL(`../../../../examples/nlp-server/notes/trainer-export-${name}.json`, import.meta.url),
    "utf8",
  );

const form = (...parts: readonly Part[]): Buffer => formBody(BOUNDARY, parts);
const file = (name: string, content: string | Uint8Array, filename = "file.json"): Part => ({
  ...{ name, content, filename, type: "application/json" },
});
const exportsForm = (...names: readonly string[]): Buffer =>
  form(...names.map((name) => file("trainer_export", exportFile(name), `${name} – é.json`)));

const line = (document: object): string => `${JSON.stringify(document)}\n`;

/** What every task that takes trainer exports is asked besides. */
const wrongExports: readonly Case[] = [
  { name: "no file", contentType: FORM, body: form({ name: "other", content: "a" }), query: ID },
  { name: "broken JSON", contentType: FORM, body: form(file("trainer_export", "{not json")), query: ID },
  { name: "no export", contentType: FORM, body: form(file("trainer_export", '{"a":1}')), query: ID },
  { name: "as text", contentType: TEXT, body: exportFile("a"), query: ID },
];

const wrongTexts: readonly Case[] = [
  { name: "nothing at all", contentType: TEXT, body: "", query: ID },
  { name: "bytes that are no UTF-8", contentType: TEXT, body: LATIN_1, query: ID },
];

const texts: readonly Case[] = [
  { name: "text", contentType: TEXT, body: NOTE, query: ID },
  { name: "text with its charset", contentType: "text/plain; charset=utf-8", body: NOTE, query: ID },
  { name: "ends of lines", contentType: TEXT, body: WITH_CRLF, query: ID },
  { name: "a long text", contentType: TEXT, body: LONG, query: ID },
  { name: "nothing to be found", contentType: TEXT, body: "nothing here", query: ID },
  ...wrongTexts,
];

export const DETERMINISTIC: readonly TaskCases[] = [
  {
    task: "info",
    method: "GET",
    cases: [
      { name: "as JSON", contentType: JSON_TYPE, body: "" },
      { name: "as text", contentType: TEXT, body: "" },
    ],
  },
  {
    task: "process",
    cases: [...texts, { ...texts[0], name: "unknown query", query: "a=%C3%A9&a=2" } as Case],
  },
  {
    task: "process_jsonl",
    cases: [
      {
        name: "documents",
        contentType: NDJSON,
        body: line({ name: "é", text: NOTE }) + line({ text: WITH_CRLF }),
      },
      { name: "without an end", contentType: NDJSON, body: line({ name: "a", text: NOTE }).trimEnd() },
      { name: "an empty result", contentType: NDJSON, body: line({ name: "a", text: "nothing here" }) },
      { name: "as text", contentType: TEXT, body: line({ name: "a", text: NOTE }) },
      { name: "a broken line", contentType: TEXT, body: `${line({ text: NOTE })}not json\n` },
      { name: "a blank line", contentType: TEXT, body: `${line({ text: NOTE })}\n${line({ text: NOTE })}` },
      { name: "another property", contentType: NDJSON, body: line({ text: NOTE, title: "a" }) },
      { name: "no UTF-8", contentType: TEXT, body: LATIN_1 },
    ],
  },
  {
    task: "process_bulk",
    cases: [
      { name: "texts", contentType: JSON_TYPE, body: JSON.stringify([NOTE, WITH_CRLF, ""]) },
      {
        name: "unusual JSON",
        contentType: JSON_TYPE,
        body: ' [ "N\\u00e9 \\ud83d\\ude00 in\\/Berlin" ,\r\n "b"] ',
      },
      { name: "no texts", contentType: JSON_TYPE, body: "[]" },
      { name: "no list", contentType: JSON_TYPE, body: '{"a":1.0,"a":12345678901234567890}' },
      { name: "other items", contentType: JSON_TYPE, body: '["a",1,null]' },
      { name: "as text", contentType: TEXT, body: JSON.stringify([NOTE]) },
    ],
  },
  {
    task: "process_bulk_file",
    cases: [
      {
        name: "a file",
        contentType: FORM,
        body: form(file("multi_text_file", JSON.stringify([NOTE, WITH_CRLF]), "Ex pört.json")),
        query: ID,
      },
      { name: "no texts", contentType: FORM, body: form(file("multi_text_file", "[]")), query: ID },
      { name: "broken JSON", contentType: FORM, body: form(file("multi_text_file", "not json")), query: ID },
      { name: "no UTF-8", contentType: FORM, body: form(file("multi_text_file", LATIN_1)), query: ID },
      { name: "no file", contentType: FORM, body: form({ name: "a", content: "b" }), query: ID },
      { name: "as text", contentType: TEXT, body: JSON.stringify([NOTE]), query: ID },
    ],
  },
  {
    task: "redact",
    cases: [
      ...texts,
      {
        name: "some kept",
        contentType: TEXT,
        body: NOTE,
        query: "concepts_to_keep=PLACE&concepts_to_keep=DATE",
      },
      { name: "a mask", contentType: TEXT, body: NOTE, query: "mask=%2A%C3%A9&hash=false" },
      { name: "hashes", contentType: TEXT, body: NOTE, query: "hash=true" },
      {
        name: "a warning",
        contentType: TEXT,
        body: "nothing here",
        query: "warn_on_no_redaction=true",
      },
      { name: "a wrong option", contentType: TEXT, body: NOTE, query: "hash=perhaps" },
    ],
  },
  {
    task: "redact_with_encryption",
    cases: [
      { name: "no key", contentType: JSON_TYPE, body: JSON.stringify({ text: NOTE }) },
      {
        name: "a bad key",
        contentType: JSON_TYPE,
        body: JSON.stringify({ text: NOTE, public_key_pem: "none" }),
      },
      { name: "as text", contentType: TEXT, body: JSON.stringify({ text: NOTE, public_key_pem: "none" }) },
      {
        name: "a warning",
        contentType: JSON_TYPE,
        body: JSON.stringify({ text: "nothing here", public_key_pem: "none" }),
        query: "warn_on_no_redaction=true",
      },
    ],
  },
  { task: "preview", cases: texts },
  {
    task: "preview_trainer_export",
    cases: [
      { name: "two exports", contentType: FORM, body: exportsForm("a", "c"), query: ID },
      { name: "one document", contentType: FORM, body: exportsForm("a"), query: `${ID}&document_id=105` },
      { name: "no such document", contentType: FORM, body: exportsForm("a"), query: `${ID}&document_id=1` },
      {
        name: "a field",
        contentType: FORM,
        body: form({ name: "trainer_export_str", content: exportFile("a") }),
        query: ID,
      },
      ...wrongExports,
    ],
  },
  {
    task: "sanity-check",
    cases: [
      { name: "an export", contentType: FORM, body: exportsForm("a"), query: ID },
      { name: "several", contentType: FORM, body: exportsForm("a", "c"), query: ID },
      ...wrongExports,
    ],
  },
  {
    task: "iaa-scores",
    cases: [
      ...["per_concept", "per_document", "per_span", "per_dream"].map((scope) => ({
        name: scope,
        contentType: FORM,
        body: exportsForm("a", "b"),
        query: `annotator_a_project_id=1&annotator_b_project_id=2&scope=${scope}&${ID}`,
      })),
      {
        name: "an unknown project",
        contentType: FORM,
        body: exportsForm("a", "b"),
        query: `annotator_a_project_id=1&annotator_b_project_id=77&scope=per_span&${ID}`,
      },
      ...wrongExports,
    ],
  },
  {
    task: "concat_trainer_exports",
    cases: [
      { name: "two exports", contentType: FORM, body: exportsForm("a", "c"), query: ID },
      { name: "the same twice", contentType: FORM, body: exportsForm("a", "a"), query: ID },
      ...wrongExports,
    ],
  },
  {
    task: "annotation-stats",
    cases: [
      { name: "an export", contentType: FORM, body: exportsForm("c"), query: ID },
      { name: "several", contentType: FORM, body: exportsForm("a", "b", "c"), query: ID },
      ...wrongExports,
    ],
  },
];

const dataset: Part = {
  ...{ name: "hf_dataset_package", filename: "data.tar.gz", type: "application/gzip" },
  content: tarGz("train.csv", `text\n"${NOTE}"\n"A second, with a comma."\n`),
};

/** What each training is sent. */
export const TRAININGS: readonly (Case & { readonly task: string })[] = [
  {
    ...{ task: "train_supervised", name: "a", contentType: FORM, query: "epochs=2&test_size=0" },
    body: form({ name: "description", content: "é" }, file("trainer_export", exportFile("a"))),
  },
  {
    ...{ task: "train_unsupervised", name: "a", contentType: FORM, query: "log_frequency=1" },
    body: form(file("training_data", JSON.stringify([NOTE, WITH_CRLF]))),
  },
  {
    ...{ task: "train_unsupervised_with_hf_hub_dataset", name: "a", contentType: FORM },
    body: form(dataset),
  },
  { ...{ task: "train_metacat", name: "a", contentType: FORM }, body: exportsForm("a") },
  { ...{ task: "evaluate", name: "a", contentType: FORM }, body: exportsForm("a") },
];

export { NOTE };
