import type { Gateway, OperationInfo } from "@modelgate/core";
import { problem } from "../answers.ts";
import type { ResponseView } from "../exchange.ts";

/** The order in which callers know the names, which is the order in which they are listed. */
const KNOWN_NAMES = [
  "info",
  "process",
  "process_jsonl",
  "process_bulk",
  "process_bulk_file",
  "redact",
  "redact_with_encryption",
  "preview",
  "preview_trainer_export",
  "train_supervised",
  "train_unsupervised",
  "train_unsupervised_with_hf_hub_dataset",
  "train_metacat",
  "evaluate",
  "sanity-check",
  "iaa-scores",
  "concat_trainer_exports",
  "annotation-stats",
];

/** What a task must come as; `undefined` where any type will do. */
export function expectedType({ name, contentType }: OperationInfo): string | undefined {
  // It takes no body, and callers announce JSON all the same.
  return name === "info" ? "application/json" : contentType;
}

/** What can be submitted, the names that callers know first. */
function listOperations(gateway: Gateway): string[] {
  const offered = gateway.operations();
  const known = KNOWN_NAMES.filter((name) => offered.has(name));
  return [...known, ...[...offered.keys()].filter((name) => !KNOWN_NAMES.includes(name))];
}

export function taskNotFound(gateway: Gateway, operation: string): ResponseView {
  const supported = listOperations(gateway).join(", ");
  return problem(404, `Task '${operation}' not found. Supported tasks are: ${supported}`, {
    code: "OPERATION_UNKNOWN",
  });
}
