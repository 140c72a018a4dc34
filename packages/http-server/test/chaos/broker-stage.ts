import { randomBytes } from "node:crypto";
import { closeAll, openLinks, type Part, through } from "./own-links.ts";
import type { BrokerFaultKind, BrokerName, LossKind } from "./plan.ts";
import { openRabbitmqBroker } from "./rabbitmq-broker.ts";
import { openRedisBroker } from "./redis-broker.ts";
import type { ServiceControl, StageBroker } from "./stage.ts";

/** A broker of the run's own. */
interface BrokerControl extends ServiceControl {
  /** Crashes it, takes away what it has kept, and starts it. */
  restartEmpty(): Promise<void>;
  /** Makes it believe that its memory is used up, or lets it see that it is not. */
  readonly alarm?: ((isOn: boolean) => Promise<void>) | undefined;
}

/** A broker; whoever shares it leaves `control` out, and then it is taken away by the network alone. */
export interface BrokerPlace {
  readonly name: BrokerName;
  readonly url: string;
  /** Of RabbitMQ. */
  readonly managementUrl?: string | undefined;
  readonly control?: BrokerControl | undefined;
}

/** What is done to a broker by those who run it. */
export interface OpenBroker {
  readonly faults: readonly BrokerFaultKind[];
  /** Makes it lose what it keeps; tells how many entries that were. */
  lose(kind: LossKind): Promise<number>;
  /** Tells whether publishers were made to wait. */
  readonly alarm?: ((forMs: number) => Promise<boolean>) | undefined;
  close(): Promise<void>;
}

/** A broker is the queue and carries the wake-ups. Each process reaches it by a link of its own. */
export async function openBroker(
  place: BrokerPlace,
  processes: readonly string[],
): Promise<Part & { readonly broker: StageBroker }> {
  const { name, url, control } = place;
  const prefix = `chaos-${randomBytes(5).toString("hex")}`;
  const { hostname, port } = new URL(url);
  const usual = name === "redis" ? 6379 : 5672;
  const links = await openLinks(name, { host: hostname, port: Number(port || usual) }, processes);
  const open = name === "redis" ? openRedisBroker(place, prefix) : openRabbitmqBroker(place, prefix);
  const variable = `MODELGATE_${name.toUpperCase()}`;
  return {
    service: { name, links: [...links.values()], control },
    broker: { name, links, ...open },
    env: (process) => ({
      MODELGATE_QUEUE: name,
      MODELGATE_WAKEUPS: name,
      [`${variable}_URL`]: through(url, links.get(process)),
      [`${variable}_PREFIX`]: prefix,
    }),
    async close() {
      closeAll(links);
      await open.close();
    },
  };
}
