import type { ConfigurationChanges, NewConfiguration } from "@modelgate/core";
import type { RequestBody } from "../exchange.ts";
import { readJsonBody } from "../json-body.ts";
import { FieldReader } from "./deployments-fields.ts";
import { readDemands } from "./deployments-resources.ts";

/** A description and an address of full length fit, however they are escaped. */
const MAX_BODY_BYTES = 256 * 1024;

export async function readNewConfiguration(body: RequestBody): Promise<NewConfiguration> {
  const fields = await readFields(body);
  const model = fields.text("model_name");
  if (!fields.has("model_name")) fields.refuse("model_name", "missing", "Field required");
  const configuration = {
    ...common(fields),
    model: model ?? "",
    replaces: fields.boolean("replace_enabled", true),
    inherits: fields.boolean("inherit_config", true),
  };
  fields.finish();
  return configuration;
}

/** What is to be cleared is cleared, whatever else is said of it. */
export async function readChanges(body: RequestBody): Promise<ConfigurationChanges> {
  const fields = await readFields(body);
  const given = common(fields);
  const clears = (name: string): boolean => fields.boolean(`clear_${name}`, false);
  const changes = {
    ...given,
    ...(clears("tracking_id") && { trackingId: null }),
    ...(clears("idle_ttl") && { idleTtlMs: null }),
    ...(clears("description") && { description: null }),
    ...(clears("deploy") && { demands: null }),
  };
  fields.finish();
  return changes;
}

async function readFields(body: RequestBody): Promise<FieldReader> {
  return new FieldReader(await readJsonBody(body, { maxBytes: MAX_BODY_BYTES }));
}

function common(fields: FieldReader): Omit<NewConfiguration, "model"> {
  const idleTtl = fields.integer("idle_ttl", 0);
  return {
    modelUri: fields.text("model_uri"),
    trackingId: fields.text("tracking_id"),
    idleTtlMs: idleTtl === undefined ? undefined : idleTtl * 1000,
    keepWarm: fields.has("keep_warm") ? fields.boolean("keep_warm", false) : undefined,
    description: fields.text("description"),
    demands: readDemands(fields),
  };
}
