import type { Health } from "@modelgate/core";
import { json, statefulProblem } from "../answers.ts";
import type { HttpContext } from "../context.ts";
import type { ResponseView, Route } from "../exchange.ts";

const greeting = json(200, { message: "Enter the cult... I mean, the API." });

export const rootRoute: Route = () => greeting;

/** What monitoring asks for by the names of four components; each of ours stands for the ones that it replaces. */
const REPLACED: Readonly<Record<string, readonly string[]>> = {
  ledger: ["database", "queue"],
  objects: ["task_object_store", "results_object_store"],
};

export function healthRoute({ gateway }: HttpContext): Route {
  return async () => healthAnswer(await gateway.health());
}

function healthAnswer(health: Health): ResponseView {
  const components: Record<string, string> = {};
  for (const [name, state] of Object.entries(health.components)) {
    for (const shown of REPLACED[name] ?? [name]) components[shown] = state;
  }
  if (health.isHealthy) return json(200, { status: "healthy", components });
  // Some read the components at the top and some below `detail`, so they are in both places.
  const body = { status: "unhealthy", components };
  return statefulProblem(503, { ...body, detail: body }, "health");
}
