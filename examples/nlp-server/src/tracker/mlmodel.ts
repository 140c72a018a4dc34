import { randomUUID } from "node:crypto";

const inputs = JSON.stringify([
  { type: "string", name: "name", required: false },
  { type: "string", name: "text", required: true },
]);
const outputs = JSON.stringify([
  { type: "string", name: "doc_name", required: true },
  { type: "integer", name: "start", required: true },
  { type: "integer", name: "end", required: true },
  { type: "string", name: "label_name", required: true },
  { type: "string", name: "label_id", required: true },
]);

/** The description that MLflow keeps beside a model: who made it, how to load it, what goes in and out. */
export function mlmodelOf(runId: string): string {
  const created = new Date().toISOString().replace("T", " ").replace("Z", "000");
  return [
    "artifact_path: model",
    "flavors:",
    "  modelgate_example:",
    "    data: model.json",
    "    version: '1'",
    "mlflow_version: 2.16.2",
    `model_uuid: ${randomUUID().replaceAll("-", "")}`,
    `run_id: ${runId}`,
    "signature:",
    `  inputs: '${inputs}'`,
    `  outputs: '${outputs}'`,
    "  params: null",
    `utc_time_created: '${created}'`,
    "",
  ].join("\n");
}
