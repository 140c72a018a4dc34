import type { Configuration, Deployment } from "@modelgate/core";
import { invalid, jsonText } from "../answers.ts";
import type { HttpContext } from "../context.ts";
import type { Route } from "../exchange.ts";
import { readBooleans } from "../query.ts";
import { demandsForm } from "./deployments-resources.ts";
import type { InfoReader } from "./model-info.ts";
import { modelNotFound, onDemandModels, runningModels } from "./model-texts.ts";

export function listModelsRoute(context: HttpContext, infos: InfoReader): Route {
  const { gateway } = context;
  return async ({ query }) => {
    const { values, issues } = readBooleans(query, ["verbose"]);
    if (issues.length > 0) return invalid(issues);
    const names = runningModels(gateway);
    const [onDemand, deployments = []] = await Promise.all([
      onDemandModels(gateway, names),
      gateway.deployments?.list(),
    ]);
    const byModel = new Map(deployments.map((each) => [each.model, each]));
    const describe = (name: string): Promise<string> | string =>
      values.verbose
        ? describeInFull(infos, name, byModel.get(name))
        : JSON.stringify(briefForm(name, byModel.get(name)));
    const running = await Promise.all(names.map(describe));
    const others = onDemand.map((each) => JSON.stringify(onDemandForm(each, values.verbose)));
    return jsonText(200, `{"running":[${running.join(",")}],"on_demand":[${others.join(",")}]}`);
  };
}

/** One model of the list. It is never deployed for being looked at. */
export function getModelRoute(context: HttpContext, infos: InfoReader): Route {
  const { gateway } = context;
  return async ({ query }, [name = ""]) => {
    const { values, issues } = readBooleans(query, ["verbose"]);
    if (issues.length > 0) return invalid(issues);
    if (runningModels(gateway).includes(name)) {
      const deployment = await gateway.deployments?.get(name);
      if (!values.verbose) return jsonText(200, JSON.stringify(briefForm(name, deployment)));
      return jsonText(200, await describeInFull(infos, name, deployment));
    }
    const configuration = await gateway.deployments?.configurations.get(name);
    if (configuration === undefined) return await modelNotFound(gateway, name);
    return jsonText(200, JSON.stringify(onDemandForm(configuration, values.verbose)));
  };
}

function briefForm(name: string, deployment: Deployment | undefined): Record<string, unknown> {
  return { name, uri: deployment?.modelUri, is_running: true };
}

/** A running model as JSON text. */
async function describeInFull(
  infos: InfoReader,
  name: string,
  deployment: Deployment | undefined,
): Promise<string> {
  const runtime = await infos.read(name);
  const said = described(runtime?.value);
  const text = JSON.stringify({
    ...briefForm(name, deployment),
    deployment_type: deployment?.kind ?? "static",
    model_type: deployment?.modelType ?? said.type,
    description: said.description,
  });
  // The server's own text, because parsing and printing it again would change large and long numbers.
  return runtime === undefined ? text : `${text.slice(0, -1)},"runtime":${runtime.text}}`;
}

function onDemandForm(configuration: Configuration, isVerbose: boolean): Record<string, unknown> {
  const { model, modelUri, modelType, idleTtlMs, description, demands } = configuration;
  const brief = { name: model, uri: modelUri, is_running: false };
  if (!isVerbose) return brief;
  return {
    ...brief,
    description,
    model_type: modelType,
    deployment_type: "auto",
    idle_ttl: Math.ceil(idleTtlMs / 1000),
    deploy: demandsForm(demands),
  };
}

function described(info: unknown): { readonly type?: string; readonly description?: string } {
  if (typeof info !== "object" || info === null) return {};
  const { model_type, model_description } = info as Record<string, unknown>;
  return {
    ...(typeof model_type === "string" && { type: model_type }),
    ...(typeof model_description === "string" && { description: model_description }),
  };
}
