import type { Fault, LossKind, ServiceName, Step } from "./plan.ts";
import type { Recorder } from "./recorder.ts";

/** The counts by which each kind of fault shows that it happened. */
export const COUNTS: Readonly<Record<Exclude<Fault["kind"], "outage">, readonly string[]>> = {
  kill: ["kills"],
  pause: ["pauses"],
  cut: ["cuts", "cuts of nothing"],
  delay: ["delays"],
  throttle: ["throttles"],
  stall: ["stalls"],
  flush: ["flushes"],
  "restart-empty": ["restarts of an emptied broker"],
  purge: ["purges"],
  "delete-queues": ["deletions of queues"],
  "memory-alarm": ["memory alarms"],
  split: ["splits"],
  "model-kill": ["model kills", "models that died answering"],
  "model-dies-answering": ["model kills", "models that died answering"],
};

/** Entries that brokers have lost in a run. */
export const LOST_ENTRIES = "entries lost";

const LOSSES: readonly string[] = [
  "flush",
  "restart-empty",
  "purge",
  "delete-queues",
] satisfies readonly LossKind[];
/** So many losses do not all come at a moment at which nothing waits. */
const LOSSES_THAT_MEET = 4;

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
  const losses = plan.filter(({ fault }) => LOSSES.includes(fault.kind)).length;
  if (losses >= LOSSES_THAT_MEET && recorder.countOf(LOST_ENTRIES) === 0)
    missing.push(`${losses} losses of brokers were planned, and none met an entry`);
  return plan.length === 0 ? ["no fault was planned"] : missing;
}

export function outagesOf(service: ServiceName): string {
  return `outages of ${service}`;
}
