import type { Queue, Wakeups } from "@modelgate/core";
import type { Log } from "../log.ts";
import { type BrokerKind, brokersOf } from "../settings/brokers.ts";
import type { Settings } from "../settings/settings.ts";
import { explained } from "./explained.ts";
import { rabbitmqOptions } from "./rabbitmq-options.ts";
import { redisOptions } from "./redis-options.ts";

/** A queue and wake-ups, of which some may not be asked for. */
interface Broker {
  readonly queue: Queue;
  readonly wakeups: Wakeups;
  close(): Promise<void>;
}

export type Brokers = ReadonlyMap<BrokerKind, Broker>;

/** Makes each broker that the settings ask for; none is connected to before it is used. Throws `CommandError`. */
export async function openBrokers(settings: Settings, log: Pick<Log, "warn">): Promise<Brokers> {
  const brokers = new Map<BrokerKind, Broker>();
  for (const kind of brokersOf(settings)) brokers.set(kind, await openBroker(kind, settings, log));
  return brokers;
}

async function openBroker(kind: BrokerKind, settings: Settings, log: Pick<Log, "warn">): Promise<Broker> {
  if (kind === "redis") {
    const options = redisOptions(settings);
    const { redisBroker } = await import("@modelgate/adapters-storage/redis");
    const onWarning = (message: string): void => log.warn(message);
    return explained(kind, settings, () => redisBroker({ ...options, onWarning }));
  }
  const options = rabbitmqOptions(settings);
  const { rabbitmqBroker } = await import("@modelgate/adapters-storage/rabbitmq");
  return explained(kind, settings, () => rabbitmqBroker(options));
}
