import type { OperationSpec } from "../contracts/server-protocol.ts";

/** An operation of CMS, and where it is found. */
export interface CmsOperationSpec extends OperationSpec {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** Whether the server keeps the run under a `tracking_id` of ours. */
  readonly isTracked: boolean;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const TEXT = "text/plain";
const JSON_TYPE = "application/json";
const NDJSON = "application/x-ndjson";
const FORM = "multipart/form-data";

/** Work that only reads the model: sent twice, it gives the same answer twice. */
function inference(path: string, contentType: string, timeoutMs: number): CmsOperationSpec {
  return {
    method: "POST",
    path,
    contentType,
    timeoutMs,
    repeatable: true,
    background: false,
    isTracked: false,
  };
}

/** Work that changes the model or writes a run: at once answered with 202, and done in the background. */
function training(path: string): CmsOperationSpec {
  return {
    method: "POST",
    path,
    contentType: FORM,
    timeoutMs: 24 * HOUR_MS,
    repeatable: false,
    background: true,
    isTracked: true,
  };
}

export type CmsOperation =
  | "info"
  | "process"
  | "process_jsonl"
  | "process_bulk"
  | "process_bulk_file"
  | "redact"
  | "redact_with_encryption"
  | "preview"
  | "preview_trainer_export"
  | "train_supervised"
  | "train_unsupervised"
  | "train_unsupervised_with_hf_hub_dataset"
  | "train_metacat"
  | "evaluate"
  | "sanity-check"
  | "iaa-scores"
  | "concat_trainer_exports"
  | "annotation-stats"
  | "embeddings"
  | "generate";

/** Every task of CMS with its default time limit. */
export const CMS_OPERATIONS: Readonly<Record<CmsOperation, CmsOperationSpec>> = {
  info: {
    method: "GET",
    path: "/info",
    timeoutMs: 30_000,
    repeatable: true,
    background: false,
    isTracked: false,
  },
  process: inference("/process", TEXT, 2 * MINUTE_MS),
  process_jsonl: inference("/process_jsonl", NDJSON, 10 * MINUTE_MS),
  process_bulk: inference("/process_bulk", JSON_TYPE, 10 * MINUTE_MS),
  process_bulk_file: inference("/process_bulk_file", FORM, HOUR_MS),
  redact: inference("/redact", TEXT, 2 * MINUTE_MS),
  redact_with_encryption: inference("/redact_with_encryption", JSON_TYPE, 2 * MINUTE_MS),
  preview: inference("/preview", TEXT, 2 * MINUTE_MS),
  preview_trainer_export: inference("/preview_trainer_export", FORM, 10 * MINUTE_MS),
  train_supervised: training("/train_supervised"),
  train_unsupervised: training("/train_unsupervised"),
  train_unsupervised_with_hf_hub_dataset: training("/train_unsupervised_with_hf_hub_dataset"),
  train_metacat: training("/train_metacat"),
  evaluate: training("/evaluate"),
  "sanity-check": inference("/sanity-check", FORM, HOUR_MS),
  "iaa-scores": inference("/iaa-scores", FORM, 10 * MINUTE_MS),
  concat_trainer_exports: inference("/concat_trainer_exports", FORM, 10 * MINUTE_MS),
  "annotation-stats": inference("/annotation-stats", FORM, 10 * MINUTE_MS),
  embeddings: inference("/v1/embeddings", JSON_TYPE, 10 * MINUTE_MS),
  generate: inference("/generate", TEXT, 10 * MINUTE_MS),
};
