/** Whose metrics: CogStack's gateway is three programs, each with a port of its own. */
export const METRICS_PARTS = ["gateway", "scheduler", "reaper"] as const;

export type MetricsPart = (typeof METRICS_PARTS)[number];

/** The part that a metric belongs to. What only we have, and what is told of the process, is the gateway's. */
export function partOf(metric: string): MetricsPart {
  if (metric.startsWith("scheduler_")) return "scheduler";
  return metric.startsWith("ripper_") ? "reaper" : "gateway";
}
