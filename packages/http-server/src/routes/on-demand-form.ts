import type { Configuration } from "@modelgate/core";
import { pythonTime } from "../python-text.ts";
import { demandsForm } from "./deployments-resources.ts";

/** A configuration as callers know it. What is not there is left out. */
export function configurationForm(configuration: Configuration): Record<string, unknown> {
  const { id, model, modelUri, trackingId, idleTtlMs, description, demands } = configuration;
  return {
    id,
    model_name: model,
    model_uri: modelUri,
    tracking_id: trackingId,
    idle_ttl: Math.ceil(idleTtlMs / 1000),
    description,
    enabled: configuration.isEnabled,
    created_at: pythonTime(configuration.createdAtMs),
    updated_at: pythonTime(configuration.updatedAtMs),
    deploy: demandsForm(demands),
    ...(configuration.keepWarm && { keep_warm: true }),
  };
}

export function configurationList(configurations: readonly Configuration[]): Record<string, unknown> {
  return { configs: configurations.map(configurationForm), total: configurations.length };
}
