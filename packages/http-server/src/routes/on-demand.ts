import {
  type ConfigurationChanges,
  type Configurations,
  GatewayError,
  type NewConfiguration,
} from "@modelgate/core";
import { createKeyCheck } from "../admin-key.ts";
import { invalid, json, problem } from "../answers.ts";
import type { HttpContext } from "../context.ts";
import type { RequestView, ResponseView, Route } from "../exchange.ts";
import { readBooleans } from "../query.ts";
import { NO_DEPLOYMENTS, onlyAdmins, trackedModelUnknown } from "./deployments-refusals.ts";
import { readChanges, readNewConfiguration } from "./on-demand-body.ts";
import { configurationForm, configurationList } from "./on-demand-form.ts";

export type AdminRoute = (
  configurations: Configurations,
  request: RequestView,
  params: readonly string[],
) => Promise<ResponseView>;

const refused = onlyAdmins("configure on-demand models");
const removed: ResponseView = { status: 204, headers: {}, body: "" };

/** Only for those who have the key, unless all may, and only where servers are deployed. */
export function adminRoute({ gateway, options }: HttpContext, route: AdminRoute): Route {
  const hasKey = createKeyCheck(options.adminKey);
  return async (request, params) => {
    if (!options.openConfigurations && !hasKey(request)) return refused;
    if (gateway.deployments === undefined) return NO_DEPLOYMENTS;
    return await route(gateway.deployments.configurations, request, params);
  };
}

export const listConfigurations: AdminRoute = async (configurations, { query }) => {
  const { values, issues } = readBooleans(query, ["include_disabled"]);
  if (issues.length > 0) return invalid(issues);
  return json(200, configurationList(await configurations.list({ all: values.include_disabled })));
};

export const createConfiguration: AdminRoute = async (configurations, { body }) => {
  const given = await readNewConfiguration(body);
  try {
    return json(201, configurationForm(await configurations.create(given)));
  } catch (error) {
    if (!GatewayError.is(error, "CONFIGURATION_CONFLICT")) return answerToRefusal(error, given);
    return problem(409, `An enabled on-demand config for '${given.model}' already exists`, {
      code: error.code,
    });
  }
};

export const getConfiguration: AdminRoute = async (configurations, _request, [name = ""]) => {
  const configuration = await configurations.get(name);
  return configuration === undefined ? noneEnabled(name) : json(200, configurationForm(configuration));
};

export const configurationHistory: AdminRoute = async (configurations, _request, [name = ""]) => {
  const versions = await configurations.history(name);
  if (versions.length > 0) return json(200, configurationList(versions));
  return problem(404, `No on-demand configurations found for '${name}'`, { code: "CONFIGURATION_UNKNOWN" });
};

export const updateConfiguration: AdminRoute = async (configurations, { body }, [name = ""]) => {
  const changes = await readChanges(body);
  try {
    return json(200, configurationForm(await configurations.update(name, changes)));
  } catch (error) {
    if (GatewayError.is(error, "CONFIGURATION_UNKNOWN")) return noneEnabled(name);
    return answerToRefusal(error, changes);
  }
};

export const disableConfiguration: AdminRoute = async (configurations, _request, [name = ""]) => {
  try {
    await configurations.disable(name);
    return removed;
  } catch (error) {
    if (GatewayError.is(error, "CONFIGURATION_UNKNOWN")) return noneEnabled(name);
    throw error;
  }
};

export const enableConfiguration: AdminRoute = async (configurations, _request, [id = ""]) => {
  if (!/^[+-]?\d{1,18}$/.test(id)) {
    const msg = "Input should be a valid integer, unable to parse string as an integer";
    return invalid([{ type: "int_parsing", loc: ["path", "config_id"], msg, input: id }]);
  }
  try {
    return json(200, configurationForm(await configurations.enable(Number(id))));
  } catch (error) {
    if (!GatewayError.is(error, "CONFIGURATION_UNKNOWN")) throw error;
    return problem(404, `On-demand config '${Number(id)}' not found`, { code: error.code });
  }
};

function noneEnabled(name: string): ResponseView {
  return problem(404, `No enabled on-demand config found for '${name}'`, { code: "CONFIGURATION_UNKNOWN" });
}

/** The names that callers have for the fields whose refusals they know as texts. */
const KNOWN_FIELDS: Readonly<Record<string, string>> = { model: "model_name", modelUri: "model_uri" };

function answerToRefusal(error: unknown, given: NewConfiguration | ConfigurationChanges): ResponseView {
  if (GatewayError.is(error, "TRACKED_MODEL_UNKNOWN")) {
    const { modelUri, trackingId } = given;
    return trackedModelUnknown(error.details["field"], { modelUri, trackingId: trackingId ?? undefined });
  }
  if (!GatewayError.is(error, "INVALID_REQUEST")) throw error;
  const { field, rule } = error.details;
  const known = KNOWN_FIELDS[`${field}`];
  if (known === undefined) throw error;
  const detail =
    rule === "missing"
      ? "model_uri is required: either provide it explicitly or use inherit_config=True to copy from the existing configuration (only possible when an enabled one exists)"
      : `Invalid on-demand model config: 1 validation error for OnDemandModelConfig\n${known}\n  Value error, ${error.message}`;
  return problem(400, detail, { code: error.code });
}
