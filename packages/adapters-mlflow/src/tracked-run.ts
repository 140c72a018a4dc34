import type { TrackedRun, TrackedRunState } from "@modelgate/core";
import { anyText, type JsonRecord, numberOf, pairsOf, recordOf, recordsOf, textOf } from "./json-fields.ts";

const STATES: Readonly<Record<string, TrackedRunState>> = {
  FINISHED: "succeeded",
  FAILED: "failed",
  KILLED: "failed",
};

/** A run as MLflow tells it, with its page below `pages`; `undefined` when that is none. */
export function trackedRun(value: JsonRecord, pages: string): TrackedRun | undefined {
  const info = recordOf(value["info"]);
  const data = recordOf(value["data"]);
  const id = textOf(info["run_id"]) ?? textOf(info["run_uuid"]);
  const experimentId = textOf(info["experiment_id"]) ?? numberOf(info["experiment_id"])?.toString();
  const status = textOf(info["status"]);
  if (id === undefined || experimentId === undefined || status === undefined) return undefined;
  const tags = pairsOf(data["tags"], anyText);
  return {
    id,
    name: textOf(info["run_name"]) ?? textOf(tags["mlflow.runName"]),
    experimentId,
    // A word that is not known yet may mean that it goes on.
    state: STATES[status] ?? "active",
    status,
    lifecycleStage: textOf(info["lifecycle_stage"]),
    startedAtMs: instantOf(info["start_time"]),
    endedAtMs: instantOf(info["end_time"]),
    url: `${pages}/#/experiments/${encodeURIComponent(experimentId)}/runs/${encodeURIComponent(id)}`,
    artifactUri: textOf(info["artifact_uri"]),
    metrics: pairsOf(data["metrics"], numberOf),
    params: pairsOf(data["params"], anyText),
    tags,
  };
}

/** The ids of the models that a run logged, in MLflow 3. */
export function loggedModelsOf(value: JsonRecord): readonly string[] {
  return recordsOf(recordOf(value["outputs"])["model_outputs"]).flatMap(
    (each) => textOf(each["model_id"]) ?? [],
  );
}

/** Zero, which is how some stores write that there is none, is no instant of a run. */
function instantOf(value: unknown): number | undefined {
  const ms = numberOf(value);
  return ms !== undefined && Number.isFinite(ms) && ms > 0 ? ms : undefined;
}
