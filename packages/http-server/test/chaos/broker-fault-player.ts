import { setTimeout as sleep } from "node:timers/promises";
import { COUNTS, LOST_ENTRIES } from "./happened.ts";
import type { BrokerFaultKind, Fault } from "./plan.ts";
import type { Recorder } from "./recorder.ts";
import type { StageBroker } from "./stage.ts";

export type BrokerFault = Extract<Fault, { readonly kind: BrokerFaultKind }>;

/** Does what the plan says to a broker that nothing else befalls meanwhile, and counts what has happened. */
export async function playBrokerFault(
  fault: BrokerFault,
  broker: StageBroker,
  recorder: Recorder,
): Promise<void> {
  const happened = (): void => {
    for (const count of COUNTS[fault.kind]) recorder.count(count);
  };
  if (fault.kind === "split") {
    const links = fault.targets.map((target) => {
      const link = broker.links.get(target);
      if (link === undefined) throw new Error(`${target} has no link to ${broker.name}`);
      return link;
    });
    for (const link of links) link.refuse();
    await sleep(fault.forMs);
    await Promise.all(links.map((link) => link.open()));
    return happened();
  }
  if (fault.kind === "memory-alarm") {
    if ((await broker.alarm?.(fault.forMs)) === true) happened();
    return;
  }
  const lost = await broker.lose(fault.kind);
  recorder.count(LOST_ENTRIES, lost);
  recorder.say(`${fault.kind} of ${fault.broker} met ${lost} entries`);
  happened();
}
