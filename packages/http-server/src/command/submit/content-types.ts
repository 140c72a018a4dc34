import { extname } from "node:path";

const TEXT = "text/plain";
const JSON_TYPE = "application/json";
const FORM = "multipart/form-data";

/** What the known tasks expect. Written down here, because a gateway does not tell. */
export const EXPECTED_TYPES: Readonly<Record<string, string>> = {
  process: TEXT,
  process_jsonl: "application/x-ndjson",
  process_bulk: JSON_TYPE,
  process_bulk_file: FORM,
  redact: TEXT,
  redact_with_encryption: JSON_TYPE,
  preview: TEXT,
  preview_trainer_export: FORM,
  train_supervised: FORM,
  train_unsupervised: FORM,
  train_unsupervised_with_hf_hub_dataset: FORM,
  train_metacat: FORM,
  evaluate: FORM,
  "sanity-check": FORM,
  "iaa-scores": FORM,
  concat_trainer_exports: FORM,
  "annotation-stats": FORM,
  embeddings: JSON_TYPE,
  generate: TEXT,
};

const TYPES_BY_ENDING: Readonly<Record<string, string>> = {
  ".csv": "text/csv",
  ".json": JSON_TYPE,
  ".jsonl": "application/x-ndjson",
  ".ndjson": "application/x-ndjson",
  ".txt": TEXT,
  ".zip": "application/zip",
};

export function isFormTask(task: string): boolean {
  return EXPECTED_TYPES[task] === FORM;
}

/** By the task, else by the file's name. */
export function contentTypeFor(task: string, file: string): string {
  return EXPECTED_TYPES[task] ?? contentTypeOf(file);
}

export function contentTypeOf(file: string): string {
  return TYPES_BY_ENDING[extname(file).toLowerCase()] ?? "application/octet-stream";
}
