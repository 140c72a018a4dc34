import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Wakeups } from "@modelgate/core";
import { describeKit, wakeupsKit } from "@modelgate/core/testing";
import { Redis } from "ioredis";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { RedisConnection } from "../../src/redis/connection.ts";
import { type RedisBrokerOptions, redisBroker } from "../../src/redis/index.ts";
import { resolveRedisOptions } from "../../src/redis/options.ts";
import { RedisWakeups } from "../../src/redis/wakeups.ts";
import { requireService } from "../support/services.ts";
import { tcpProxy } from "../support/tcp-proxy.ts";
import { SOON } from "./own-redis.ts";

const SERVERS = { "Redis 7": "REDIS_URL", "Valkey 8": "VALKEY_URL" } as const;

const quiet = { onWarning: () => {} };

function newPrefix(): string {
  return `t-${randomBytes(8).toString("hex")}`;
}

function open(options: RedisBrokerOptions): Wakeups {
  const broker = redisBroker({ ...quiet, ...options });
  onTestFinished(() => broker.close());
  return broker.wakeups;
}

async function clientOf(url: string): Promise<Redis> {
  const client = new Redis(url);
  onTestFinished(() => client.disconnect());
  await client.ping();
  return client;
}

/** What goes over the channel, as the server delivers it. */
async function messagesOf(url: string, channel: string): Promise<string[]> {
  const client = await clientOf(url);
  const messages: string[] = [];
  client.on("message", (_channel, message) => messages.push(message));
  await client.subscribe(channel);
  return messages;
}

for (const [name, variable] of Object.entries(SERVERS)) {
  const url = requireService(variable);
  if (url === undefined) {
    describe.skip(name, () => it("needs the server", () => {}));
    continue;
  }
  describeKit({ describe, it }, wakeupsKit, name, async () => {
    const prefix = newPrefix();
    const [one, other] = [redisBroker({ ...quiet, url, prefix }), redisBroker({ ...quiet, url, prefix })];
    return {
      wakeups: one.wakeups,
      other: other.wakeups,
      close: async () => void (await Promise.all([one.close(), other.close()])),
    };
  });
}

const url = requireService("REDIS_URL") ?? "";

describe.skipIf(url === "")("wake-ups in Redis", () => {
  it("of one turn are one message", async () => {
    const prefix = newPrefix();
    const wakeups = open({ url, prefix });
    const messages = await messagesOf(url, `{${prefix}}:wake:work`);
    const publishLater = async (index: number): Promise<void> => {
      for (let wait = 0; wait < index % 50; wait += 1) await undefined;
      await wakeups.publish("work", [`m${index % 10}`]);
    };
    await Promise.all(Array.from({ length: 1000 }, (_, index) => publishLater(index)));
    await vi.waitFor(() => expect(messages).toHaveLength(1), SOON);
    expect(JSON.parse(messages[0] ?? "")).toHaveLength(10);
  });

  it("are cut into messages of 64 KiB, and a name that is longer than that is left out", async () => {
    const prefix = newPrefix();
    const wakeups = open({ url, prefix });
    const messages = await messagesOf(url, `{${prefix}}:wake:ended`);
    const names = Array.from({ length: 60_000 }, (_, index) => `\u00e9-${index}-${"x".repeat(40)}`);
    await wakeups.publish("ended", ["y".repeat(70_000), ...names]);
    await vi.waitFor(() => expect(messages).toHaveLength(8), SOON);
    for (const message of messages) expect(Buffer.byteLength(message)).toBeLessThanOrEqual(65_536);
    const told = messages.flatMap((message) => JSON.parse(message) as string[]);
    expect(told).toEqual(names.slice(0, told.length));
    expect(told.length).toBeGreaterThan(8_000);
  });

  it("reach nobody of another prefix, and pass over what others send on the channel", async () => {
    const [ours, others] = [newPrefix(), newPrefix()];
    const client = await clientOf(url);
    const heard: unknown[][] = [[], []];
    const [one, other] = [open({ url, prefix: ours }), open({ url, prefix: others })];
    one.subscribe("work", (names) => heard[0]?.push(...names));
    other.subscribe("work", (names) => heard[1]?.push(...names));
    await vi.waitFor(async () => {
      for (const message of ["", "nonsense", '{"a":1}', "[1]", '["half'])
        await client.publish(`{${ours}}:wake:work`, message);
      await one.publish("work", ["ours"]);
      await other.publish("work", ["others"]);
      expect([...new Set(heard[0])].concat([...new Set(heard[1])])).toEqual(["ours", "others"]);
    }, SOON);
  });

  it("take one connection for all who subscribe, from the first one on", async () => {
    const prefix = newPrefix();
    const client = await clientOf(url);
    const listeners = async (): Promise<number> => {
      const [, count] = (await client.call("pubsub", ["numsub", `{${prefix}}:wake:work`])) as [
        string,
        number,
      ];
      return count;
    };
    const wakeups = open({ url, prefix });
    await wakeups.publish("work", ["nobody hears"]);
    expect(await listeners()).toBe(0);
    for (let count = 0; count < 20; count += 1) wakeups.subscribe(count % 2 ? "work" : "ended", () => {});
    await vi.waitFor(async () => expect(await listeners()).toBe(1), SOON);
    await sleep(50);
    expect(await listeners()).toBe(1);
    await wakeups.close();
    await vi.waitFor(async () => expect(await listeners()).toBe(0), SOON);
  });

  it("are heard again after a cut, and every listener is told once that some may have been missed", async () => {
    const proxy = await tcpProxy(url);
    onTestFinished(() => proxy.close());
    const prefix = newPrefix();
    const publisher = open({ url, prefix });
    const subscriber = open({ url: proxy.through(url), prefix });
    const hints: Record<string, (readonly string[])[]> = { work: [], ended: [], deployments: [] };
    for (const topic of ["work", "ended", "deployments"] as const)
      subscriber.subscribe(topic, (names) => hints[topic]?.push(names));
    for (let round = 0; round < 3; round += 1) {
      await vi.waitFor(async () => {
        await publisher.publish("work", [`round ${round}`]);
        expect(hints["work"]?.flat()).toContain(`round ${round}`);
      }, SOON);
      await sleep(20);
      for (const each of Object.values(hints)) each.length = 0;
      proxy.cut();
      // Nobody publishes: this is the one that says that some may have been missed.
      await vi.waitFor(() => expect(hints).toEqual({ work: [[]], ended: [[]], deployments: [[]] }), SOON);
    }
  });

  it("publish again over a new connection after a cut", async () => {
    const proxy = await tcpProxy(url);
    onTestFinished(() => proxy.close());
    const prefix = newPrefix();
    const subscriber = open({ url, prefix });
    const publisher = open({ url: proxy.through(url), prefix });
    const heard: string[] = [];
    subscriber.subscribe("ended", (names) => heard.push(...names));
    for (let round = 0; round < 3; round += 1) {
      await vi.waitFor(async () => {
        await publisher.publish("ended", [`round ${round}`]);
        expect(heard).toContain(`round ${round}`);
      }, SOON);
      proxy.cut();
    }
  });

  it("begin when the server can be reached, however late", async () => {
    const proxy = await tcpProxy(url);
    onTestFinished(() => proxy.close());
    proxy.mode = "refuse";
    const prefix = newPrefix();
    const publisher = open({ url, prefix });
    const wakeups = open({ url: proxy.through(url), prefix });
    const heard: string[] = [];
    const hints: unknown[] = [];
    wakeups.subscribe("ended", (names) => (names.length === 0 ? hints.push(names) : heard.push(...names)));
    await expect(wakeups.publish("ended", ["lost"])).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    await sleep(100);
    proxy.mode = "pass";
    await vi.waitFor(async () => {
      await publisher.publish("ended", ["heard"]);
      expect(heard).toContain("heard");
    }, SOON);
    expect(hints).toHaveLength(1);
    await vi.waitFor(() => wakeups.publish("ended", ["works"]), SOON);
  });

  it("notice a connection that the network has forgotten", async () => {
    const proxy = await tcpProxy(url);
    onTestFinished(() => proxy.close());
    const prefix = newPrefix();
    const publisher = open({ url, prefix });
    const options = resolveRedisOptions({ ...quiet, url: proxy.through(url), prefix, commandTimeoutMs: 200 });
    const connection = new RedisConnection(options);
    const wakeups = new RedisWakeups(connection, { onClose: () => connection.close(), probeMs: 200 });
    onTestFinished(() => wakeups.close());
    const hints: (readonly string[])[] = [];
    wakeups.subscribe("work", (names) => hints.push(names));
    await vi.waitFor(async () => {
      await publisher.publish("work", ["before"]);
      expect(hints.flat()).toContain("before");
    }, SOON);
    // Longer than the probes are apart: one that is answered breaks nothing off.
    await sleep(600);
    expect(hints.filter((names) => names.length === 0)).toEqual([]);
    hints.length = 0;
    proxy.mode = "forget";
    await sleep(300);
    proxy.mode = "pass";
    await vi.waitFor(() => expect(hints).toContainEqual([]), SOON);
  });
});
