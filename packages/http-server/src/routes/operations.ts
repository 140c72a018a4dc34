import type { Gateway } from "@modelgate/core";

/** The names that callers know and the media type of each, in the order in which they are listed. */
const EXPECTED_TYPES: ReadonlyMap<string, string> = new Map([
  ["info", "application/json"],
  ["process", "text/plain"],
  ["process_jsonl", "application/x-ndjson"],
  ["process_bulk", "application/json"],
  ["process_bulk_file", "multipart/form-data"],
  ["redact", "text/plain"],
  ["redact_with_encryption", "application/json"],
  ["preview", "text/plain"],
  ["preview_trainer_export", "multipart/form-data"],
  ["train_supervised", "multipart/form-data"],
  ["train_unsupervised", "multipart/form-data"],
  ["train_unsupervised_with_hf_hub_dataset", "multipart/form-data"],
  ["train_metacat", "multipart/form-data"],
  ["evaluate", "multipart/form-data"],
  ["sanity-check", "multipart/form-data"],
  ["iaa-scores", "multipart/form-data"],
  ["concat_trainer_exports", "multipart/form-data"],
  ["annotation-stats", "multipart/form-data"],
]);

/** What a task of this name must carry; `undefined` where any type will do. */
export function expectedType(operation: string): string | undefined {
  return EXPECTED_TYPES.get(operation);
}

/** What can be submitted, the names that callers know first. */
export function listOperations(gateway: Gateway): string[] {
  const offered = gateway.operations();
  const known = [...EXPECTED_TYPES.keys()].filter((name) => offered.includes(name));
  return [...known, ...offered.filter((name) => !EXPECTED_TYPES.has(name))];
}
