import type { OperationOptions } from "../contracts/common.ts";
import type { TrackedModel, Tracking } from "../contracts/tracking.ts";
import { GatewayError } from "../errors.ts";
import { checkModelUri, checkTrackingId, refusal } from "./validate.ts";

/** Where somebody says that a model is. */
export interface ModelSource {
  /** Wins over `trackingId`. */
  readonly modelUri?: string | undefined;
  readonly trackingId?: string | undefined;
}

export interface ResolveOptions extends OperationOptions {
  readonly tracking?: Tracking | undefined;
  /** Whether the tracker has to know the address. Default `false`. */
  readonly requiresKnownUri?: boolean | undefined;
}

export interface ResolvedModel {
  readonly modelUri: string;
  /** Absent when no tracker says. */
  readonly modelType?: string | undefined;
  /** As it was given. */
  readonly trackingId?: string | undefined;
}

/**
 * Where a model is, and of what type. Rejects `INVALID_REQUEST` for a source that is none, `TRACKED_MODEL_UNKNOWN` when
 * the tracker does not know it (`details.field` says by what), `UNSUPPORTED` when addresses have to be known and
 * nothing here could know them. While the tracker is away it rejects `TRACKING_UNAVAILABLE`, also when only the type was
 * asked of it: a server that is started with a guessed type fails later, and does not say why.
 */
export async function resolveModel(source: ModelSource, options: ResolveOptions): Promise<ResolvedModel> {
  const { tracking, requiresKnownUri = false, signal } = options;
  const trackingId = source.trackingId === undefined ? undefined : checkTrackingId(source.trackingId);
  if (source.modelUri !== undefined) {
    const modelUri = checkModelUri(source.modelUri);
    if (requiresKnownUri && tracking?.capabilities.validates !== true) {
      throw new GatewayError(
        "UNSUPPORTED",
        "requiresKnownUri is on, and there is no tracker that could tell which addresses exist",
      );
    }
    const found = await tracking?.find(modelUri, { signal });
    if (found === undefined && requiresKnownUri) throw unknown("modelUri", "knows no model at this address");
    return resolved(modelUri, found?.type, trackingId);
  }
  if (trackingId === undefined) {
    throw refusal("modelUri", "is missing; give it, or a trackingId", { rule: "missing" });
  }
  if (tracking === undefined) {
    throw refusal("trackingId", "cannot be resolved without a tracker; give a modelUri");
  }
  const found: TrackedModel | undefined = await tracking.resolve(trackingId, { signal });
  if (found === undefined) throw unknown("trackingId", "knows no model of this run");
  return resolved(checkModelUri(found.uri), found.type, trackingId);
}

/** Absent members are left out, as these go into records. */
function resolved(
  modelUri: string,
  modelType: string | undefined,
  trackingId: string | undefined,
): ResolvedModel {
  return {
    modelUri,
    ...(modelType !== undefined && { modelType }),
    ...(trackingId !== undefined && { trackingId }),
  };
}

function unknown(field: string, words: string): GatewayError {
  return new GatewayError("TRACKED_MODEL_UNKNOWN", `${field}: the tracker ${words}`, { details: { field } });
}
