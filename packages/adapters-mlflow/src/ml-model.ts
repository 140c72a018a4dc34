import type { JsonValue, ModelMetadata } from "@modelgate/core";
import { parse } from "yaml";
import { isRecord, type JsonRecord, textOf } from "./json-fields.ts";

/** The name of the document that MLflow writes beside a model. */
export const ML_MODEL = "MLmodel";
/** Usual ones have some hundred bytes to some KiB; to read a long one takes this thread a while. */
export const MAX_ML_MODEL_BYTES: number = 512 * 1024;

/** What the document says; `undefined` when it is none. */
export function readMlModel(text: string): ModelMetadata | undefined {
  const value = parsed(text);
  if (!isRecord(value)) return undefined;
  const name = (field: string): string | undefined => textOf(value[field]);
  return {
    uuid: name("model_uuid"),
    runId: name("run_id"),
    artifactPath: name("artifact_path"),
    signature: jsonOf(value["signature"]),
    flavors: jsonOf(value["flavors"]),
    createdAt: name("utc_time_created"),
    trackerVersion: name("mlflow_version"),
  };
}

function parsed(text: string): unknown {
  try {
    // Aliases that refer to aliases could make a small document a large one.
    return parse(text, { maxAliasCount: 100, logLevel: "error", prettyErrors: false });
  } catch {
    return undefined;
  }
}

/** As JSON has it: YAML has more kinds of values and of keys. */
function jsonOf(value: unknown): Readonly<Record<string, JsonValue>> | undefined {
  return isRecord(value) ? (JSON.parse(JSON.stringify(value satisfies JsonRecord)) as never) : undefined;
}
