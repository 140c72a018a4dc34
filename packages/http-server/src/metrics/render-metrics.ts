import { collectDefaultMetrics, type Metric, Registry } from "prom-client";
import type { Family } from "./series.ts";

export interface MetricsText {
  readonly contentType: string;
  readonly text: string;
}

/** Between two looks at the delay of the event loop. The usual 10 ms would wake an idle process 100 times a second. */
const LOOP_SAMPLE_MS = 20;

let ofProcess: Registry | undefined;

/**
 * What is told of the process itself, its event loop included, is the same for every gateway in it, and what measures
 * it cannot be ended again: there is one, from the first scrape on.
 */
function processRegistry(): Registry {
  if (ofProcess === undefined) {
    ofProcess = new Registry();
    collectDefaultMetrics({ register: ofProcess, eventLoopMonitoringPrecision: LOOP_SAMPLE_MS });
  }
  return ofProcess;
}

/** The exposition format of Prometheus, with what is told of the process unless that is told elsewhere. */
export async function renderMetrics(
  families: readonly Family[],
  tellsOfProcess = true,
): Promise<MetricsText> {
  const registry = new Registry();
  for (const family of families) registry.registerMetric(metricOf(family));
  const [own, rest] = await Promise.all([
    registry.metrics(),
    tellsOfProcess ? processRegistry().metrics() : "",
  ]);
  return { contentType: registry.contentType, text: `${own}\n${rest}` };
}

/** A registry asks a metric for its name, and `get` for everything else; its type wants a class of its own. */
function metricOf({ spec: { name, help, type }, samples }: Family): Metric {
  const metric = { name, get: async () => ({ name, help, type, values: samples, aggregator: "sum" }) };
  return metric as unknown as Metric;
}
