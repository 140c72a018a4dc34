import type { WakeupTopic } from "@modelgate/core";
import type { Channel } from "amqplib";

export function exchangeOf(prefix: string, topic: WakeupTopic): string {
  return `${prefix}.wakeups.${topic}`;
}

export async function declareExchange(channel: Channel, prefix: string, topic: WakeupTopic): Promise<void> {
  await channel.assertExchange(exchangeOf(prefix, topic), "fanout", { durable: true });
}
