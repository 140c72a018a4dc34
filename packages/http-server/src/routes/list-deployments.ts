import { json } from "../answers.ts";
import type { HttpContext } from "../context.ts";
import type { Route } from "../exchange.ts";
import { deploymentForm } from "./deployments-form.ts";
import { NO_DEPLOYMENTS } from "./deployments-refusals.ts";

/** All deployments by model: those that wait, fail or end are in no list of models. */
export function listDeploymentsRoute({ gateway }: HttpContext): Route {
  return async () => {
    const { deployments } = gateway;
    if (deployments === undefined) return NO_DEPLOYMENTS;
    return json(200, { deployments: (await deployments.list()).map(deploymentForm) });
  };
}
