import type { Route } from "../exchange.ts";
import type { Metrics } from "./create-metrics.ts";

/** Answers a scrape. */
export function metricsRoute(metrics: Pick<Metrics, "render">): Route {
  return async () => {
    const { contentType, text } = await metrics.render();
    return { status: 200, headers: { "content-type": contentType }, body: text };
  };
}
