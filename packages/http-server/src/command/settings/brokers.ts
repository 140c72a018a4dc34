import type { Settings } from "./settings.ts";

/** A service that keeps an order or passes hints on, and nothing that may not be lost. */
export type BrokerKind = "redis" | "rabbitmq";

type Chosen = Pick<Settings, "queue" | "store" | "wakeups">;

/** The broker that is the queue; `undefined` where the store keeps the order. */
export function queueKind({ queue }: Chosen): BrokerKind | undefined {
  return queue === "store" ? undefined : queue;
}

/** How processes wake each other: as they are told to, else as suits the queue and the store. */
export function wakeupsKind({ queue, store, wakeups }: Chosen): NonNullable<Settings["wakeups"]> {
  if (wakeups !== undefined) return wakeups;
  if (queue !== "store") return queue;
  return store === "postgres" ? "postgres" : "none";
}

/** Every broker that is asked for, in one way or another. */
export function brokersOf(settings: Chosen): readonly BrokerKind[] {
  const asked = [queueKind(settings), wakeupsKind(settings)];
  return (["redis", "rabbitmq"] as const).filter((kind) => asked.includes(kind));
}

/** What a broker is called in sentences. */
export const BROKER_NAMES: Readonly<Record<BrokerKind, string>> = { redis: "Redis", rabbitmq: "RabbitMQ" };
