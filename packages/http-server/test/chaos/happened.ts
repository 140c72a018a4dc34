import type { Fault, ServiceName, Step } from "./plan.ts";
import type { Recorder } from "./recorder.ts";

/** The counts by which each kind of fault shows that it happened. */
const COUNTS: Readonly<Record<Exclude<Fault["kind"], "outage">, readonly string[]>> = {
  kill: ["kills"],
  pause: ["pauses"],
  cut: ["cuts", "cuts of nothing"],
  delay: ["delays"],
  throttle: ["throttles"],
  stall: ["stalls"],
  "model-kill": ["model kills", "models that died answering"],
  "model-dies-answering": ["model kills", "models that died answering"],
};

/** What was planned and did not happen: a run without its faults proves nothing. */
export function missingFaults(plan: readonly Step[], recorder: Recorder): readonly string[] {
  const planned = new Map<string, { count: number; readonly counts: readonly string[] }>();
  for (const { fault } of plan) {
    const counts = fault.kind === "outage" ? [outagesOf(fault.service)] : COUNTS[fault.kind];
    const name = counts.join(" and ");
    const known = planned.get(name) ?? { count: 0, counts };
    planned.set(name, { ...known, count: known.count + 1 });
  }
  const missing = [...planned].flatMap(([name, { count, counts }]) => {
    const happened = counts.reduce((sum, each) => sum + recorder.countOf(each), 0);
    return happened < count ? [`${count} ${name} were planned, ${happened} happened`] : [];
  });
  return plan.length === 0 ? ["no fault was planned"] : missing;
}

export function outagesOf(service: ServiceName): string {
  return `outages of ${service}`;
}
