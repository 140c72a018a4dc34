import type { Route, RoutePattern } from "../exchange.ts";
import type { Metrics } from "./create-metrics.ts";

/** The same routes, counted as they answer. */
export function observeRoutes(
  routes: readonly RoutePattern[],
  metrics: Pick<Metrics, "observe">,
): readonly RoutePattern[] {
  return routes.map(({ path, methods }) => {
    const observed = Object.entries(methods).map(([method, route]) => [
      method,
      observe(path, route, metrics),
    ]);
    return { path, methods: Object.fromEntries(observed) as RoutePattern["methods"] };
  });
}

function observe(path: string, route: Route, metrics: Pick<Metrics, "observe">): Route {
  return async (request, params) => {
    const beganMs = performance.now();
    const answer = await route(request, params);
    metrics.observe(path, request.method, answer.status, performance.now() - beganMs);
    return answer;
  };
}
