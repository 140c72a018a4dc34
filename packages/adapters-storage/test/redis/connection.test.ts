import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { type Cluster, Redis } from "ioredis";
import { describe, expect, expectTypeOf, it, onTestFinished, vi } from "vitest";
import { RedisConnection, redisScript } from "../../src/redis/connection.ts";
import { type RedisBrokerOptions, type RedisClientLike, redisBroker } from "../../src/redis/index.ts";
import { resolveRedisOptions } from "../../src/redis/options.ts";
import { requireService } from "../support/services.ts";
import { tcpProxy } from "../support/tcp-proxy.ts";
import { freePort, ownRedis, SOON } from "./own-redis.ts";

const url = requireService("REDIS_URL") ?? "";
const SECRET = "do-not-tell";

function connect(options: RedisBrokerOptions): RedisConnection {
  const connection = new RedisConnection(resolveRedisOptions({ onWarning: () => {}, ...options }));
  onTestFinished(() => connection.close());
  return connection;
}

function newPrefix(): string {
  return `t-${randomBytes(8).toString("hex")}`;
}

describe("options of Redis", () => {
  it.each<[string, RedisBrokerOptions]>([
    ["url", {}],
    ["url", { url: `http://u:${SECRET}@h` }],
    ["url", { url: `redis://u:${SECRET}@h/nine` }],
    ["sentinels", { url: "redis://h", sentinels: { nodes: [{ host: "h" }], name: "n" } }],
    ["sentinels.name", { sentinels: { nodes: [{ host: "h" }], name: "" } }],
    ["sentinels.nodes", { sentinels: { nodes: [], name: "n" } }],
    ["cluster.nodes", { cluster: { nodes: [] } }],
    ["cluster.nodes", { cluster: { nodes: ["redis://h", "rediss://h"] } }],
    ["cluster.nodes", { cluster: { nodes: ["redis://h/1"] } }],
    ["prefix", { url: "redis://h", prefix: "{x}" }],
    ["prefix", { url: "redis://h", prefix: "x".repeat(65) }],
    ["connectTimeoutMs", { url: "redis://h", connectTimeoutMs: 0 }],
    ["commandTimeoutMs", { url: "redis://h", commandTimeoutMs: Number.NaN }],
    ["client", { client: {} as RedisClientLike }],
    ["client", { client: new Redis({ lazyConnect: true, keyPrefix: "x" }) }],
  ])("refuse a wrong %s and name it (%#)", (field, options) => {
    const error = (() => {
      try {
        redisBroker(options);
      } catch (thrown) {
        return thrown as Error;
      }
      return undefined;
    })();
    expect(error).toMatchObject({ code: "INVALID_OPTIONS", details: { field } });
    expect(error?.message).not.toContain(SECRET);
  });

  it("take clients of ioredis", () => {
    expectTypeOf<Redis>().toExtend<RedisClientLike>();
    expectTypeOf<Cluster>().toExtend<RedisClientLike>();
  });

  it("connect nothing before the first call", async () => {
    const broker = redisBroker({ url: `redis://127.0.0.1:${await freePort()}` });
    await broker.close();
    await broker.close();
    await expect(broker.queue.stats()).rejects.toMatchObject({ code: "CLOSED" });
    await expect(broker.wakeups.publish("work", ["m"])).rejects.toMatchObject({ code: "CLOSED" });
  });
});

describe.skipIf(url === "")("a connection to Redis", () => {
  const echo = redisScript(`return {ARGV[1], '${randomBytes(8).toString("hex")}'}`);

  it("sends a script whole where the server does not know it", async () => {
    const connection = connect({ url });
    const key = "{modelgate}:x";
    await expect(connection.evaluate(echo, [key], ["a"])).resolves.toMatchObject({ 0: "a" });
    const client = new Redis(url);
    onTestFinished(() => client.disconnect());
    await client.script("FLUSH");
    const replies = Promise.all(["b", "c"].map((arg) => connection.evaluate(echo, [key], [arg])));
    expect((await replies).map((reply) => (reply as string[])[0])).toEqual(["b", "c"]);
  });

  it("fails at once while nothing answers, names the place and no secret, and goes on when it is back", async () => {
    const server = await ownRedis();
    const connection = connect({ url: server.url });
    await connection.call("ping", []);
    await server.kill();
    const seen = new Set<string>();
    const begun = performance.now();
    for (let count = 0; count < 200; count += 1)
      await connection.call("ping", []).catch((error: { code: string; message: string }) => {
        expect(error.code).toBe("STORE_UNAVAILABLE");
        seen.add(error.message);
      });
    expect(performance.now() - begun).toBeLessThan(2_000);
    expect([...seen].join()).toContain(`Redis at 127.0.0.1:${server.port}`);
    expect([...seen].join()).not.toContain(server.password);
    await server.start();
    await vi.waitFor(() => connection.call("ping", []), SOON);
  }, 20_000);

  it("ends a call that gets no answer in time, and its connection with it", async () => {
    const proxy = await tcpProxy(url);
    onTestFinished(() => proxy.close());
    const connection = connect({ url: proxy.through(url), commandTimeoutMs: 150, connectTimeoutMs: 300 });
    await connection.call("ping", []);
    proxy.mode = "keep-answers";
    const begun = performance.now();
    const calls = await Promise.allSettled(Array.from({ length: 50 }, () => connection.call("ping", [])));
    expect(performance.now() - begun).toBeLessThan(1_000);
    for (const call of calls)
      expect(call).toMatchObject({ status: "rejected", reason: { code: "STORE_UNAVAILABLE" } });
    proxy.mode = "pass";
    await vi.waitFor(() => connection.call("ping", []), SOON);
  });

  it("loses the calls that were under way when it is cut, and sends none of them twice", async () => {
    const proxy = await tcpProxy(url);
    onTestFinished(() => proxy.close());
    const prefix = newPrefix();
    const connection = connect({ url: proxy.through(url), prefix });
    const add = redisScript(
      "return redis.call('SADD', KEYS[1], ARGV[1]) == 1 and 1 or redis.call('INCR', KEYS[2])",
    );
    const keys = [`{${prefix}}:set`, `{${prefix}}:twice`];
    let isOver = false;
    let failed = 0;
    const work = (async () => {
      for (let count = 0; !isOver; count += 1)
        await Promise.all(
          Array.from({ length: 20 }, (_, at) =>
            connection.evaluate(add, keys, [`${count}-${at}`]).catch((error: { code: string }) => {
              expect(error.code).toBe("STORE_UNAVAILABLE");
              failed += 1;
            }),
          ),
        ).then(() => sleep(1));
    })();
    for (let round = 0; round < 5; round += 1) {
      await sleep(80);
      proxy.cut();
    }
    await sleep(200);
    isOver = true;
    await work;
    expect(failed).toBeGreaterThan(0);
    await vi.waitFor(() => connection.call("ping", []), SOON);
    expect(await connection.call("get", [keys[1] as string])).toBeNull();
    await connection.call("del", keys);
  });

  it("does not stop at an error of the server's, and leaves out what it quotes", async () => {
    const connection = connect({ url });
    const wrong = redisScript(`return redis.error_reply('WRONG ${SECRET}')`);
    const error = await connection.evaluate(wrong, [], [SECRET]).catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ code: "ADAPTER_FAILED", details: { reply: "WRONG" } });
    expect(`${JSON.stringify(error)} ${(error as Error).message} ${(error as Error).cause}`).not.toContain(
      SECRET,
    );
    await connection.call("ping", []);
  });

  it("ends the wait with the signal", async () => {
    const proxy = await tcpProxy(url);
    onTestFinished(() => proxy.close());
    proxy.mode = "forget";
    const connection = connect({ url: proxy.through(url), connectTimeoutMs: 500 });
    const reason = new Error("enough");
    const stop = new AbortController();
    const call = connection.call("ping", [], { signal: stop.signal });
    setTimeout(() => stop.abort(reason), 30);
    await expect(call).rejects.toBe(reason);
  });

  it("asks the function for the password at each connection, and passes on nothing that it throws", async () => {
    const server = await ownRedis();
    const proxy = await tcpProxy(server.url);
    onTestFinished(() => proxy.close());
    let asked = 0;
    const address = new URL(proxy.through(server.url));
    address.password = "";
    const connection = connect({
      url: address.href,
      password: () => {
        asked += 1;
        if (asked === 1) throw new Error(SECRET);
        return asked === 2 ? "wrong" : server.password;
      },
    });
    const first = await connection.call("ping", []).catch((error: unknown) => error as Error);
    expect(first).toMatchObject({ code: "STORE_UNAVAILABLE", details: { field: "password" } });
    expect((first as Error).message).not.toContain(SECRET);
    const codes = new Set<unknown>();
    await vi.waitFor(
      () =>
        connection.call("ping", []).catch((error: { details: { reply?: string } }) => {
          codes.add(error.details.reply);
          throw error;
        }),
      SOON,
    );
    expect(codes).toContain("WRONGPASS");
    expect(asked).toBe(3);
    proxy.cut();
    await vi.waitFor(() => connection.call("ping", []), SOON);
    expect(asked).toBeGreaterThanOrEqual(4);
  });

  it("speaks TLS, and only with whom it can trust", async () => {
    const server = await ownRedis();
    const ca = await readFile(server.caFile, "utf8");
    const told = async (options: RedisBrokerOptions): Promise<unknown> =>
      await connect(options)
        .call("ping", [])
        .catch((error: { details: unknown }) => error.details);
    expect(await told({ url: server.tlsUrl, tls: { ca } })).toBe("PONG");
    expect(await told({ url: server.tlsUrl, tls: { verify: false } })).toBe("PONG");
    expect(await told({ url: server.tlsUrl, tls: { ca, serverName: "localhost" } })).toBe("PONG");
    expect(await told({ url: server.tlsUrl })).toMatchObject({ field: "tls" });
    expect(await told({ url: server.tlsUrl, tls: { ca, serverName: "elsewhere" } })).toMatchObject({
      field: "tls",
    });
    // A server that speaks no TLS says nothing at all.
    const plain = await told({ url: server.url, tls: { ca }, commandTimeoutMs: 200 });
    expect(plain).toEqual({ adapter: "redis" });
  });

  it("refuses a replica", async () => {
    const primary = await ownRedis();
    const replica = await ownRedis({ replicaof: `127.0.0.1 ${primary.port}`, masterauth: primary.password });
    const connection = connect({ url: replica.url });
    await expect(connection.call("ping", [])).rejects.toThrow("it is a replica");
  });

  it("notices that its server became a replica, and comes back to it when it is a primary again", async () => {
    const [primary, other] = [await ownRedis(), await ownRedis()];
    const connection = connect({ url: primary.url });
    const write = (): Promise<unknown> => connection.call("set", ["{modelgate}:t", "1"]);
    await write();
    const admin = new Redis(primary.url);
    onTestFinished(() => admin.disconnect());
    await admin.replicaof("127.0.0.1", other.port);
    await expect(write()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    // What a replica would answer is refused too, as Sentinels may name another server now.
    await expect(connection.call("ping", [])).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    await admin.replicaof("NO", "ONE");
    await vi.waitFor(write, SOON);
  });

  it("uses a client that is handed in, for wake-ups too, and leaves it open", async () => {
    const client = new Redis(url);
    onTestFinished(() => client.disconnect());
    const broker = redisBroker({ client, prefix: newPrefix(), onWarning: () => {} });
    const heard: string[] = [];
    broker.wakeups.subscribe("work", (names) => heard.push(...names));
    await vi.waitFor(async () => {
      await broker.wakeups.publish("work", ["m"]);
      expect(heard).toContain("m");
    }, SOON);
    expect(await broker.queue.stats()).toMatchObject({ waiting: 0 });
    await broker.close();
    expect(await client.ping()).toBe("PONG");
  });

  it("warns once of what makes the queue less safe", async () => {
    const server = await ownRedis({ "maxmemory-policy": "allkeys-lru" });
    const warnings: string[] = [];
    const { queue, wakeups } = redisBroker({ url: server.url, onWarning: (text) => warnings.push(text) });
    await queue.stats();
    await vi.waitFor(() => expect(warnings).toHaveLength(2), SOON);
    expect(warnings.join()).toMatch(/allkeys-lru.*noeviction.*append-only/s);
    await queue.stats();
    expect(warnings).toHaveLength(2);
    // Once both parts are closed, so is the connection.
    const admin = new Redis(server.url);
    onTestFinished(() => admin.disconnect());
    expect(await admin.info("clients")).toMatch(/connected_clients:2\r/);
    await Promise.all([queue.close(), wakeups.close()]);
    await vi.waitFor(async () => expect(await admin.info("clients")).toMatch(/connected_clients:1\r/), SOON);
  });
});
