import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { type Channel, type ChannelModel, connect } from "amqplib";
import type { BrokerPlace, OpenBroker } from "./broker-stage.ts";
import type { LossKind } from "./plan.ts";

/** `rabbitmqctl` alone takes seconds on a machine that is busy. */
const BLOCKED_LIMIT_MS = 30_000;

interface ListedQueue {
  readonly name: string;
  readonly exclusive: boolean;
}

/** RabbitMQ as whoever runs it sees it: by addresses of its own, which no fault befalls. */
export function openRabbitmqBroker(place: BrokerPlace, prefix: string): OpenBroker {
  const { url, managementUrl, control } = place;

  /** Names of the queues of this run; those that go with their connections are nobody's to delete. */
  async function list(): Promise<readonly string[]> {
    const { username, password, origin } = new URL(managementUrl ?? "");
    const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
    const answer = await fetch(`${origin}/api/queues?columns=name,exclusive`, { headers: { authorization } });
    if (!answer.ok) throw new Error(`RabbitMQ's management answers ${answer.status}`);
    const queues = (await answer.json()) as readonly ListedQueue[];
    return queues
      .filter(({ name, exclusive }) => !exclusive && name.startsWith(`${prefix}.`))
      .map(({ name }) => name);
  }

  /** Does something to each queue, and tells how many messages that met in lanes. */
  async function each(
    names: readonly string[],
    work: (channel: Channel, name: string) => Promise<number>,
  ): Promise<number> {
    return await withBroker(url, async (model) => {
      let messages = 0;
      for (const name of names) {
        const channel = await model.createChannel();
        channel.on("error", () => {});
        // One that is gone closes its channel.
        const met = await work(channel, name).catch(() => 0);
        if (isOfLane(name, prefix)) messages += met;
        await channel.close().catch(() => {});
      }
      return messages;
    });
  }

  const remove = async (names: readonly string[]): Promise<number> =>
    await each(names, async (channel, name) => (await channel.deleteQueue(name)).messageCount);

  async function lose(kind: LossKind): Promise<number> {
    const names = await list();
    const lanes = names.filter((name) => isOfLane(name, prefix));
    if (kind === "delete-queues") return await remove(names);
    if (kind === "purge") {
      return await each(lanes, async (channel, name) => (await channel.purgeQueue(name)).messageCount);
    }
    if (kind !== "restart-empty") throw new Error(`${kind} is nothing that befalls RabbitMQ`);
    const waiting = await each(lanes, async (channel, name) => (await channel.checkQueue(name)).messageCount);
    await control?.restartEmpty();
    return waiting;
  }

  return {
    faults:
      control === undefined
        ? ["purge", "delete-queues", "split"]
        : ["purge", "delete-queues", "restart-empty", "memory-alarm", "split"],
    lose,
    async alarm(forMs) {
      await control?.alarm?.(true);
      const hasBlocked = await isBlocked(url);
      if (hasBlocked) await sleep(forMs);
      await control?.alarm?.(false);
      return hasBlocked;
    },
    async close() {
      await remove(await list());
    },
  };
}

function isOfLane(name: string, prefix: string): boolean {
  return name.startsWith(`${prefix}.tasks.`) || name.startsWith(`${prefix}.background.`);
}

/** Whether whoever publishes is told to wait. The broker says so at the first message. */
async function isBlocked(url: string): Promise<boolean> {
  return await withBroker(url, async (model) => {
    const channel = await model.createChannel();
    const blocked = once(model, "blocked", { signal: AbortSignal.timeout(BLOCKED_LIMIT_MS) });
    channel.publish("", "nobody.reads.this", Buffer.alloc(0));
    return await blocked.then(
      () => true,
      () => false,
    );
  });
}

/** Connects as often as it takes: right after a start the broker may close what it has let in. */
async function withBroker<T>(url: string, work: (model: ChannelModel) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      const model = await connect(url);
      model.on("error", () => {});
      try {
        return await work(model);
      } finally {
        // While publishers are blocked an orderly end is not read, and there is no other in the types.
        const { stream } = model.connection as unknown as { stream: { destroy(): void } };
        stream.destroy();
      }
    } catch (error) {
      if (tries === 20) throw error;
      await sleep(250);
    }
  }
}
