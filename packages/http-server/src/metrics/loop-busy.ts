import { performance } from "node:perf_hooks";
import { METRICS } from "./metric-table.ts";
import type { Family } from "./series.ts";

/** Unlike the delay, which is sampled, it costs nothing between two scrapes, and any number of scrapers may read it. */
export function busySeconds(): Family {
  const { active } = performance.eventLoopUtilization();
  return { spec: METRICS.loopBusy, samples: [{ labels: {}, value: active / 1000 }] };
}
