import type { Delivery, Queue, QueueEntry } from "@modelgate/core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { RedisConnection } from "../../src/redis/connection.ts";
import { resolveRedisOptions } from "../../src/redis/options.ts";
import { redisQueue } from "../../src/redis/queue.ts";
import { queueKeys } from "../../src/redis/queue-host.ts";
import { requireService } from "../support/services.ts";
import { type QueueServer, queueServer } from "./queue-server.ts";

// Asked for so that the program is there; these tests harm a server of their own.
const url = requireService("REDIS_URL");

const VISIBLE_MS = 60_000;
const KEY_SPACE = "{modelgate}:";

function entry(id: string, rank = 0): QueueEntry {
  return { id, lane: "m", background: false, rank, delayMs: 0 };
}

function take(queue: Queue, max = 100): Promise<readonly Delivery[]> {
  return queue.take({ lanes: [{ lane: "m", background: false, max }], max, visibilityMs: VISIBLE_MS });
}

const ids = (deliveries: readonly Delivery[]): string[] => deliveries.map(({ id }) => id);

/** Otherwise a primary waits for more replicas first. */
const SYNC_AT_ONCE = { "repl-diskless-sync-delay": "0" };

/** Makes a server the replica of another, and waits until it has everything. */
async function follow(server: RedisConnection, { port, password }: QueueServer): Promise<void> {
  await server.call("config", ["set", "masterauth", password]);
  await server.call("replicaof", ["127.0.0.1", port]);
  const isThere = async () =>
    ((await server.call("info", ["replication"])) as string).includes("master_link_status:up");
  await expect.poll(isThere, { timeout: 10_000 }).toBe(true);
}

function markOf(incarnation: string): string | undefined {
  return incarnation.split(".")[0];
}

/** Until the connection is made anew. */
async function atLast<T>(call: () => Promise<T>): Promise<T> {
  return await expect
    .poll(() => call().catch(() => undefined), { timeout: 10_000 })
    .toBeDefined()
    .then(call);
}

describe.skipIf(url === undefined)("what a Redis loses", () => {
  let server: QueueServer;
  let connections: RedisConnection[] = [];
  let control: RedisConnection;
  let queue: Queue;

  function connect(serverUrl: string, options: object = {}): RedisConnection {
    const resolved = resolveRedisOptions({ url: serverUrl, commandTimeoutMs: 500, ...options });
    const connection = new RedisConnection(resolved);
    connections.push(connection);
    return connection;
  }

  beforeAll(async () => {
    server = await queueServer({ settings: SYNC_AT_ONCE });
  });
  afterAll(() => server?.close());
  beforeEach(() => {
    control = connect(server.url);
    queue = redisQueue(connect(server.url), KEY_SPACE);
  });
  afterEach(async () => {
    await control.call("flushall", []);
    for (const connection of connections) connection.close();
    connections = [];
  });

  it("by a flush is noticed, and the queue goes on", async () => {
    const before = await queue.incarnation();
    await queue.enqueue([entry("a")]);
    const [old] = (await take(queue)) as [Delivery];
    await control.call("flushall", []);
    // Others may have been at work before anybody looks.
    await queue.enqueue([entry("a")]);
    expect(await queue.incarnation()).not.toBe(before);
    await queue.settle([{ receipt: old.receipt, kind: "done" }]);
    expect(ids(await take(queue))).toEqual(["a"]);
  });

  it("by the eviction of any key is noticed; what is left goes too, as it does not fit together", async () => {
    for (const key of queueKeys(KEY_SPACE)) {
      const before = await queue.incarnation();
      await queue.enqueue(["a", "b", "c", "d"].map((id, rank) => entry(id, rank)));
      await queue.enqueue([{ ...entry("e"), delayMs: VISIBLE_MS }]);
      await take(queue, 2);
      await control.call("unlink", [key]);
      const after = await queue.incarnation();
      expect(after, key).not.toBe(before);
      expect(await queue.incarnation(), key).toBe(after);
      await queue.enqueue(["d", "c", "b", "a"].map((id, rank) => entry(id, rank)));
      expect(await queue.incarnation(), key).toBe(after);
      expect(ids(await take(queue)), key).toEqual(["d", "c", "b", "a"]);
      await control.call("flushall", []);
    }
  });

  it("by a restart without persistence is noticed, and the queue goes on", async () => {
    const before = await queue.incarnation();
    await queue.enqueue([entry("a"), entry("b", 1)]);
    const [old] = (await take(queue, 1)) as [Delivery];
    await server.kill();
    await expect(queue.stats()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    await server.start();
    expect(await atLast(() => queue.incarnation())).not.toBe(before);
    expect(await queue.stats()).toEqual({ waiting: 0, delivered: 0 });
    await queue.enqueue([entry("a")]);
    expect(ids(await take(queue))).toEqual(["a"]);
    await queue.settle([{ receipt: old.receipt, kind: "back", delayMs: 0 }]);
    expect(ids(await take(queue))).toEqual([]);
  });

  it("by a failover is noticed although the replica has the mark, for it may lack what came last", async () => {
    const replica = await queueServer({ settings: SYNC_AT_ONCE });
    try {
      const heir = connect(replica.url);
      const theirs = redisQueue(heir, KEY_SPACE);
      await follow(heir, server);
      const before = await queue.incarnation();
      await queue.enqueue([entry("a")]);
      await expect.poll(async () => (await theirs.stats()).waiting).toBe(1);
      await heir.call("replicaof", ["no", "one"]);
      await queue.enqueue([entry("lost")]);
      const after = await theirs.incarnation();
      expect(markOf(after)).toBe(markOf(before));
      expect(after).not.toBe(before);
      expect(ids(await take(theirs))).toEqual(["a"]);
      // And back, unseen: the same process as before with what the other one had.
      await follow(control, replica);
      await control.call("replicaof", ["no", "one"]);
      const again = await queue.incarnation();
      expect(markOf(again)).toBe(markOf(before));
      expect([before, after]).not.toContain(again);
      expect(await queue.stats()).toEqual({ waiting: 0, delivered: 1 });
    } finally {
      await replica.close();
    }
  });

  it("of its scripts is sent again", async () => {
    await queue.enqueue([entry("a")]);
    await control.call("script", ["flush"]);
    expect(ids(await take(queue))).toEqual(["a"]);
  });
});

describe.skipIf(url === undefined)("a Redis that is in trouble", () => {
  let server: QueueServer;
  let connection: RedisConnection;
  let control: RedisConnection;
  let queue: Queue;
  beforeAll(async () => {
    server = await queueServer({ persistence: "aof-always" });
    connection = new RedisConnection(resolveRedisOptions({ url: server.url, commandTimeoutMs: 300 }));
    control = new RedisConnection(resolveRedisOptions({ url: server.url }));
    queue = redisQueue(connection, KEY_SPACE);
  });
  afterAll(async () => {
    connection?.close();
    control?.close();
    await server?.close();
  });

  it("for want of memory takes nothing new, hands out what it has, and is told to be full", async () => {
    const before = await queue.incarnation();
    await queue.enqueue([entry("a"), entry("b", 1), entry("c", 2)]);
    await control.call("config", ["set", "maxmemory", "1mb"]);
    await expect(queue.enqueue([entry("new"), entry("c", -1)])).rejects.toMatchObject({ code: "STORE_FULL" });
    const [a, b] = (await take(queue, 2)) as [Delivery, Delivery];
    await queue.settle([
      { receipt: a.receipt, kind: "done" },
      { receipt: b.receipt, kind: "back", delayMs: 0 },
    ]);
    expect(await queue.stats()).toEqual({ waiting: 2, delivered: 0 });
    expect(await queue.incarnation()).toBe(before);
    await queue.remove(["b"]);
    await control.call("config", ["set", "maxmemory", "0"]);
    await queue.enqueue([entry("new")]);
    expect(ids(await take(queue))).toEqual(["new", "c"]);
  });

  it("that hangs is not waited for longer than a call may take, and is there again afterwards", async () => {
    await queue.enqueue([entry("hung")]);
    await server.pause();
    const since = performance.now();
    const calls = [queue.stats(), queue.enqueue([entry("unknown")]), take(queue), queue.incarnation()];
    for (const outcome of await Promise.allSettled(calls))
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "STORE_UNAVAILABLE" } });
    expect(performance.now() - since).toBeLessThan(2_000);
    // What comes meanwhile is refused rather than kept without end.
    const many = queue.enqueue(Array.from({ length: 60_000 }, (_, at) => entry(`many${at}`)));
    const refused = queue.enqueue([entry("one more")]);
    await expect(refused).rejects.toThrow("in line");
    await expect(many).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    await server.resume();
    await atLast(() => queue.stats());
    await queue.enqueue([entry("hung")]);
    expect(ids(await take(queue))).toContain("hung");
  });

  it("that restarts with all that it was told is asked as if it had lost something", async () => {
    await queue.enqueue([entry("kept")]);
    const before = await queue.incarnation();
    await server.kill();
    await server.start();
    expect(await atLast(() => queue.incarnation())).not.toBe(before);
    expect(ids(await take(queue))).toContain("kept");
  });

  it("that tells nobody who it is has an incarnation of its mark alone", async () => {
    await control.call("acl", ["setuser", "blind", "on", ">secret", "~*", "+@all", "-info"]);
    const url = server.url.replace(/default:[^@]*@/, "blind:secret@");
    const blind = new RedisConnection(resolveRedisOptions({ url }));
    const theirs = redisQueue(blind, KEY_SPACE);
    const before = await theirs.incarnation();
    expect(before).toMatch(/^[0-9a-f-]{36}\.\.$/);
    await control.call("flushall", []);
    expect(await theirs.incarnation()).not.toBe(before);
    blind.close();
  });
});
