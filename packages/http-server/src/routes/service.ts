import type { Health } from "@modelgate/core";
import { json, statefulProblem } from "../answers.ts";
import type { HttpContext } from "../context.ts";
import type { ResponseView, Route } from "../exchange.ts";
import type { Components } from "../options.ts";

const greeting = json(200, { message: "Enter the cult... I mean, the API." });

export const rootRoute: Route = () => greeting;

/** What monitoring asks for by the names of four components; each of ours stands for the ones that it replaces. */
const REPLACED: Readonly<Record<string, readonly string[]>> = {
  ledger: ["database", "queue"],
  objects: ["task_object_store", "results_object_store"],
};

export function healthRoute({ gateway, options }: HttpContext): Route {
  return async () => {
    const [health, others = {}] = await Promise.all([gateway.health(), options.components?.()]);
    return healthAnswer(health, others);
  };
}

function healthAnswer(health: Health, others: Components): ResponseView {
  const components: Record<string, string> = {};
  for (const [name, state] of Object.entries(health.components)) {
    for (const shown of REPLACED[name] ?? [name]) components[shown] = state;
  }
  Object.assign(components, others);
  if (health.isHealthy) return json(200, { status: "healthy", components });
  // Some read the components at the top and some below `detail`, so they are in both places.
  const body = { status: "unhealthy", components };
  return statefulProblem(503, { ...body, detail: body }, "health");
}
