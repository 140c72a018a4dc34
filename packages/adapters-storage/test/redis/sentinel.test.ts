import { describe, expect, it, onTestFinished, vi } from "vitest";
import { inspectRedis, redisBroker } from "../../src/redis/index.ts";
import { requireService } from "../support/services.ts";
import { bareRedis, SOON } from "./own-redis.ts";

const isThere = requireService("REDIS_URL") !== undefined;
const lane = { lane: "m", background: false };

describe.skipIf(!isThere)("Redis behind Sentinels", () => {
  it("goes on with the replica that takes over, and tells that content may have been lost", async () => {
    const primary = await bareRedis(['save ""', "repl-diskless-sync-delay 0"]);
    const replica = await bareRedis(['save ""', `replicaof 127.0.0.1 ${primary.port}`]);
    // A Sentinel looks for replicas at its start, and then every ten seconds.
    await vi.waitFor(async () => {
      expect(await replica.ask("info", "replication")).toMatch(/master_link_status:up/);
    }, SOON);
    const watch = [
      `sentinel monitor main 127.0.0.1 ${primary.port} 1`,
      "sentinel down-after-milliseconds main 500",
      "sentinel failover-timeout main 2000",
    ];
    const sentinel = await bareRedis(watch, { isSentinel: true });
    await vi.waitFor(async () => {
      const known = (await sentinel.ask("sentinel", "master", "main")) as string[];
      expect(known[known.indexOf("num-slaves") + 1]).toBe("1");
    }, SOON);

    // The first one is away.
    const nodes = [1, sentinel.port].map((port) => ({ host: "127.0.0.1", port }));
    const options = { sentinels: { nodes, name: "main" } };
    const broker = redisBroker({ ...options, onWarning: () => {} });
    onTestFinished(() => broker.close());
    const { queue, wakeups } = broker;
    const hints: (readonly string[])[] = [];
    wakeups.subscribe("work", (names) => hints.push(names));
    await vi.waitFor(async () => {
      await wakeups.publish("work", ["before"]);
      expect(hints.flat()).toContain("before");
    }, SOON);
    const before = await queue.incarnation();
    await queue.enqueue([{ id: "a", ...lane, rank: 1, delayMs: 0 }]);
    expect(await inspectRedis(options)).toMatchObject({ role: "primary", replicas: 1, problems: [] });
    await vi.waitFor(async () => expect(await replica.ask("dbsize")).toBeGreaterThan(0), SOON);

    hints.length = 0;
    await primary.kill();
    const codes = new Set<string>();
    await vi.waitFor(async () => {
      const after = await queue.incarnation().catch((error: { code: string }) => {
        codes.add(error.code);
        throw error;
      });
      expect(after).not.toBe(before);
    }, SOON);
    expect([...codes]).toEqual(["STORE_UNAVAILABLE"]);
    expect(await queue.stats()).toMatchObject({ waiting: 1 });
    await vi.waitFor(() => expect(hints).toContainEqual([]), SOON);
    await vi.waitFor(async () => {
      await wakeups.publish("work", ["after"]);
      expect(hints.flat()).toContain("after");
    }, SOON);
  }, 30_000);

  it("says when no Sentinel answers, or knows the name", async () => {
    const sentinel = await bareRedis(["sentinel monitor main 127.0.0.1 1 1"], { isSentinel: true });
    const nodes = [{ host: "127.0.0.1", port: sentinel.port }];
    for (const sentinels of [
      { nodes: [{ host: "127.0.0.1", port: 1 }], name: "main" },
      { nodes, name: "other" },
    ])
      expect((await inspectRedis({ sentinels })).problems).toMatchObject([
        { step: "connect", code: "STORE_UNAVAILABLE", field: "sentinels" },
      ]);
    expect((await inspectRedis({ sentinels: { nodes, name: "main" } })).problems).toMatchObject([
      { step: "connect", code: "STORE_UNAVAILABLE", field: "url" },
    ]);
  });
});
