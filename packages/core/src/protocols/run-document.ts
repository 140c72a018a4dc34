import type { ServerAnswer } from "../contracts/server-protocol.ts";
import type { TrackedRun } from "../contracts/tracking.ts";
import { errorsOf } from "./run-evidence.ts";

/**
 * What a training leaves as its result. `own` is the run of its acceptance; `result`, where there is one, is the run
 * that the work was logged to in its place.
 */
export function runDocument(own: TrackedRun, result: TrackedRun | undefined): ServerAnswer {
  const last = result ?? own;
  const errors = errorsOf(last.tags);
  const document = {
    run: {
      run_id: own.id,
      run_name: own.name ?? null,
      experiment_id: own.experimentId,
      status: last.status,
      lifecycle_stage: own.lifecycleStage ?? "active",
      internal_url: own.url ?? null,
    },
    ...(result === undefined ? {} : { result_run: other(result) }),
    timing: timingOf(last),
    metrics: metricsOf({ ...own.metrics, ...result?.metrics }),
    params: { ...own.params, ...result?.params },
    tags: { ...own.tags, ...result?.tags },
    artifacts: { artifact_uri: last.artifactUri ?? null },
    error: errors.length === 0 ? null : errors,
  };
  const bytes = Buffer.from(JSON.stringify(document, null, 2), "utf8");
  return {
    status: 200,
    contentType: "application/json",
    sizeBytes: bytes.byteLength,
    body: (async function* () {
      yield bytes;
    })(),
  };
}

function other({ id, name, experimentId, status, url }: TrackedRun): Record<string, string | null> {
  return {
    run_id: id,
    run_name: name ?? null,
    experiment_id: experimentId,
    status,
    internal_url: url ?? null,
  };
}

function timingOf({ startedAtMs, endedAtMs }: TrackedRun): Record<string, string | number | null> {
  const isWhole = startedAtMs !== undefined && endedAtMs !== undefined;
  return {
    started_at: startedAtMs === undefined ? null : instant(startedAtMs),
    finished_at: endedAtMs === undefined ? null : instant(endedAtMs),
    duration_seconds: isWhole ? (endedAtMs - startedAtMs) / 1000 : null,
  };
}

/** As Python's `isoformat` writes it, which leaves a fraction of zero out. */
function instant(atMs: number): string {
  if (Number.isNaN(new Date(atMs).getTime())) return String(atMs);
  const [seconds = "", fraction = "000Z"] = new Date(atMs).toISOString().split(".");
  const millis = fraction.slice(0, 3);
  return millis === "000" ? `${seconds}+00:00` : `${seconds}.${millis}000+00:00`;
}

/** JSON has no number for some of them; as text they are what MLflow itself writes. */
function metricsOf(metrics: TrackedRun["metrics"]): Record<string, number | string> {
  return Object.fromEntries(
    Object.entries(metrics).map(([name, value]) => [name, Number.isFinite(value) ? value : String(value)]),
  );
}
