import { GatewayError, type ModelMetadata, type Tracking } from "@modelgate/core";
import type { HttpContext } from "../context.ts";
import { beforeAbort, type Reading, TimedReader } from "./timed-reader.ts";

/** A model that was logged hardly changes; an alias may name another one. */
const KEPT_MS = 30_000;
const KEPT_FAILURES_MS = 5_000;
/** What is larger is asked for each time, so that what is kept has a bound. */
const MAX_KEPT_CHARACTERS = 64 * 1024;
/** A tracker that is away fails for every model of a list. */
const TOLD_EVERY_MS = 60_000;

/** What the tracker knows of a model. */
export interface TrackedInfo {
  readonly type: string | undefined;
  /** The member `tracking` of an answer, as JSON. */
  readonly text: string | undefined;
}

/** Asks the tracker for models by their addresses. What it does not tell in time is left out, and told to `onError`. */
export function createTrackingReader({ options }: HttpContext): TimedReader<TrackedInfo> | undefined {
  const { tracking, trackingTimeoutMs: timeoutMs, onError } = options;
  if (tracking === undefined) return undefined;
  let toldAtMs = Number.NEGATIVE_INFINITY;
  const tell = (error: unknown): void => {
    const nowMs = performance.now();
    if (nowMs - toldAtMs < TOLD_EVERY_MS) return;
    toldAtMs = nowMs;
    onError(GatewayError.is(error) ? error : unavailable(error, timeoutMs));
  };
  return new TimedReader({
    ask: (uri, signal) => ask(tracking, uri, signal, tell),
    timeoutMs,
    maxAsked: 16,
    maxKept: 500,
    keepFailuresMs: KEPT_FAILURES_MS,
  });
}

/** The two are asked for at once, and each is worth having without the other. */
async function ask(
  tracking: Tracking,
  uri: string,
  signal: AbortSignal,
  tell: (error: unknown) => void,
): Promise<Reading<TrackedInfo>> {
  const find = async (): Promise<string | undefined> => (await tracking.find(uri, { signal }))?.type;
  const describe = async (): Promise<string | undefined> =>
    tracking.capabilities.describes ? textOf(await tracking.describe(uri, { signal })) : undefined;
  const [type, text] = await Promise.allSettled([
    beforeAbort(find(), signal),
    beforeAbort(describe(), signal),
  ]);
  const failed = [type, text].find(({ status }) => status === "rejected");
  if (failed?.status === "rejected") tell(failed.reason);
  const value = {
    type: type.status === "fulfilled" ? type.value : undefined,
    text: text.status === "fulfilled" ? text.value : undefined,
  };
  const isLarge = (value.text?.length ?? 0) > MAX_KEPT_CHARACTERS;
  return { value, keepMs: isLarge ? 0 : failed === undefined ? KEPT_MS : KEPT_FAILURES_MS };
}

function textOf(metadata: ModelMetadata | undefined): string | undefined {
  if (metadata === undefined) return undefined;
  return JSON.stringify({
    uuid: metadata.uuid,
    run_id: metadata.runId,
    artifact_path: metadata.artifactPath,
    signature: metadata.signature ?? {},
    flavors: metadata.flavors,
    utc_time_created: metadata.createdAt,
    mlflow_version: metadata.trackerVersion,
  });
}

function unavailable(cause: unknown, timeoutMs: number): GatewayError {
  return new GatewayError(
    "TRACKING_UNAVAILABLE",
    `the tracker did not tell of a model within ${timeoutMs} ms, or told it wrongly; see trackingTimeoutMs`,
    { cause },
  );
}
