import { randomBytes } from "node:crypto";
import { Redis } from "ioredis";
import { manage } from "../../../adapters-storage/test/rabbitmq/brokers.ts";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { openRelay, type Relay } from "./relay.ts";

/** A broker of a test's own, behind a relay that takes it away. It begins as one that is away. */
export interface TestBroker {
  /** Settings as a configuration file has them, without those of what it is for. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly relay: Relay;
  /** Whether anything is kept there. */
  isUsed(): Promise<boolean>;
  close(): Promise<void>;
}

const redisUrl = requireService("REDIS_URL");
const amqpUrl = requireService("AMQP_URL");

export const hasRedis: boolean = redisUrl !== undefined;
export const hasRabbitmq: boolean = amqpUrl !== undefined;

export async function openRedis(): Promise<TestBroker> {
  const prefix = `command-${randomBytes(5).toString("hex")}`;
  const relay = await openRelay(redisUrl ?? "");
  const client = new Redis(redisUrl ?? "");
  const keys = (): Promise<string[]> => client.keys(`{${prefix}}:*`);
  return {
    settings: { redis: { url: relay.address(redisUrl ?? ""), prefix } },
    relay,
    isUsed: async () => (await keys()).length > 0,
    async close() {
      await relay.down();
      const left = await keys();
      if (left.length > 0) await client.del(left);
      client.disconnect();
    },
  };
}

/** In a virtual host of its own. */
export async function openRabbitmq(): Promise<TestBroker> {
  const vhost = `command-${randomBytes(5).toString("hex")}`;
  const relay = await openRelay(amqpUrl ?? "");
  await manage("PUT", `vhosts/${vhost}`);
  const { username } = new URL(amqpUrl ?? "");
  await manage("PUT", `permissions/${vhost}/${username}`, { configure: ".*", write: ".*", read: ".*" });
  return {
    settings: { rabbitmq: { url: relay.address(amqpUrl ?? ""), vhost } },
    relay,
    isUsed: async () => ((await manage("GET", `queues/${vhost}`)) as unknown[]).length > 0,
    async close() {
      await relay.down();
      await manage("DELETE", `vhosts/${vhost}`);
    },
  };
}
