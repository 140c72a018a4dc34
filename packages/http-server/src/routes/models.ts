import { invalid, jsonText } from "../answers.ts";
import type { HttpContext } from "../context.ts";
import type { Route } from "../exchange.ts";
import { readBooleans } from "../query.ts";
import {
  type ModelReaders,
  namedModel,
  onDemandForm,
  onDemandInFull,
  type RunningModel,
  runningForm,
  runningInFull,
} from "./model-listing.ts";
import { modelNotFound } from "./model-texts.ts";

export function listModelsRoute({ gateway }: HttpContext, readers: ModelReaders): Route {
  return async ({ query }) => {
    const { values, issues } = readBooleans(query, ["verbose"]);
    if (issues.length > 0) return invalid(issues);
    const [configurations = [], deployments = []] = await Promise.all([
      gateway.deployments?.configurations.list(),
      gateway.deployments?.list(),
    ]);
    const configured = new Map(configurations.map((each) => [each.model, each]));
    const deployed = new Map(deployments.map((each) => [each.model, each]));
    const running: RunningModel[] = gateway
      .models()
      .filter(({ isRunning }) => isRunning)
      .map((status) => {
        const { name } = status;
        return { status, deployment: deployed.get(name), configuration: configured.get(name) };
      });
    for (const { status } of running) configured.delete(status.name);
    const onDemand = [...configured.values()];
    const [runningTexts, onDemandTexts] = values.verbose
      ? await Promise.all([
          Promise.all(running.map((each) => runningInFull(readers, each))),
          Promise.all(onDemand.map((each) => onDemandInFull(readers, each))),
        ])
      : [running.map(runningForm).map(toText), onDemand.map(onDemandForm).map(toText)];
    return jsonText(200, `{"running":[${runningTexts.join(",")}],"on_demand":[${onDemandTexts.join(",")}]}`);
  };
}

/** One model of the list. It is never deployed for being looked at. */
export function getModelRoute({ gateway }: HttpContext, readers: ModelReaders): Route {
  return async ({ query }, [given = ""]) => {
    const { values, issues } = readBooleans(query, ["verbose"]);
    if (issues.length > 0) return invalid(issues);
    const name = namedModel(gateway, given);
    const status = gateway.models().find((model) => model.isRunning && model.name === name);
    const configuration = await gateway.deployments?.configurations.get(name);
    if (status !== undefined) {
      const model = { status, configuration, deployment: await gateway.deployments?.get(name) };
      return jsonText(200, values.verbose ? await runningInFull(readers, model) : toText(runningForm(model)));
    }
    if (configuration === undefined) return await modelNotFound(gateway, name);
    return jsonText(
      200,
      values.verbose ? await onDemandInFull(readers, configuration) : toText(onDemandForm(configuration)),
    );
  };
}

function toText(form: Record<string, unknown>): string {
  return JSON.stringify(form);
}
