import type { Gateway } from "@modelgate/core";
import type { Metrics } from "../../metrics/create-metrics.ts";
import { METRICS_PARTS, type MetricsPart } from "../../metrics/metric-parts.ts";
import type { Settings } from "../settings/settings.ts";
import type { Parts } from "./parts.ts";
import { type HealthServerOptions, serveHealth } from "./serve-health.ts";

export interface PartPortsOptions {
  readonly settings: Settings;
  readonly metrics: Metrics | undefined;
  readonly components: HealthServerOptions["components"];
  /** Takes what is opened. */
  readonly parts: Parts;
}

/**
 * In a process that is everything, the ports that a monitoring system knows of three processes: that of the scheduler
 * and that of the reaper tell their own metrics alone. Resolves to what is left for the main port.
 */
export async function openPartPorts(
  gateway: Pick<Gateway, "health">,
  { settings, metrics, components, parts }: PartPortsOptions,
): Promise<Metrics | undefined> {
  const { host } = settings;
  const elsewhere: MetricsPart[] = [];
  for (const part of ["scheduler", "reaper"] as const) {
    const port = settings[`${part}.port`];
    if (port === undefined) continue;
    const own = metrics && { render: () => metrics.render([part]) };
    const opened = await serveHealth(gateway, { host, port, components, metrics: own });
    parts.add(() => opened.close());
    elsewhere.push(part);
  }
  if (metrics === undefined || elsewhere.length === 0) return metrics;
  const left = METRICS_PARTS.filter((part) => !elsewhere.includes(part));
  return { ...metrics, render: () => metrics.render(left) };
}
