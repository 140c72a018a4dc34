import { randomBytes } from "node:crypto";
import type { Queue, QueueEntry } from "@modelgate/core";
import { type Channel, connect } from "amqplib";
import { onTestFinished } from "vitest";
import { type RabbitmqBroker, type RabbitmqBrokerOptions, rabbitmqBroker } from "../../src/rabbitmq/index.ts";
import { requireService } from "../support/services.ts";

export interface Server {
  readonly name: string;
  readonly url: string;
}

/** The real brokers that are there. */
export function servers(): readonly Server[] {
  const found: Server[] = [];
  for (const [name, variable] of [
    ["RabbitMQ 3.10", "AMQP_URL"],
    ["RabbitMQ 4", "AMQP4_URL"],
  ] as const) {
    const url = requireService(variable);
    if (url !== undefined) found.push({ name, url });
  }
  return found;
}

export function newPrefix(): string {
  return `test-${randomBytes(5).toString("hex")}`;
}

/** Removes all that begins with the prefix and is known to have been made: the broker outlives the test. */
export async function removeAll(url: string, prefix: string, lanes: readonly string[]): Promise<void> {
  const model = await connect(url);
  const names = lanes.flatMap((lane) =>
    [0, 1, 2, 3, 4].flatMap((band) => [
      `${prefix}.tasks.${band}.${lane}`,
      `${prefix}.background.${band}.${lane}`,
    ]),
  );
  const channel = await model.createChannel();
  for (const name of [...names, `${prefix}.mark`, `${prefix}.known`]) await channel.deleteQueue(name);
  for (const name of ["known", "wakeups.work", "wakeups.ended", "wakeups.deployments"])
    await channel.deleteExchange(`${prefix}.${name}`);
  await model.close();
}

/** Of this test's own. */
export function openBroker(options: RabbitmqBrokerOptions): RabbitmqBroker {
  const broker = rabbitmqBroker(options);
  onTestFinished(() => broker.close());
  return broker;
}

/** A bare connection. */
export async function adminOf(url: string): Promise<Channel> {
  const model = await connect(url);
  model.on("error", () => {});
  onTestFinished(async () => {
    await model.close().catch(() => {});
  });
  const channel = await model.createChannel();
  channel.on("error", () => {});
  return channel;
}

/** What the broker's management says, or does. */
export async function manage(method: string, path: string, body?: unknown): Promise<unknown> {
  const { username, password, origin } = new URL(requireService("AMQP_MANAGEMENT_URL") ?? "");
  const response = await fetch(`${origin}/api/${path}`, {
    method,
    headers: {
      authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`,
      "content-type": "application/json",
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
  const text = await response.text();
  return text === "" ? undefined : JSON.parse(text);
}

export function entryOf(id: string, parts: Partial<QueueEntry> = {}): QueueEntry {
  return { id, lane: "m", background: false, rank: Date.now() - 5 * 3_600_000, delayMs: 0, ...parts };
}

export async function takeIds(queue: Queue, max = 100): Promise<string[]> {
  const lanes = [{ lane: "m", max, background: false }];
  return (await queue.take({ lanes, max, visibilityMs: 60_000 })).map(({ id }) => id);
}
