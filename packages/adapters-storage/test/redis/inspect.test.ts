import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { Redis } from "ioredis";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { inspectRedis, redisBroker } from "../../src/redis/index.ts";
import { NEEDED_COMMANDS } from "../../src/redis/inspect-rights.ts";
import { requireService } from "../support/services.ts";
import { freePort, type OwnRedis, ownRedis, SOON } from "./own-redis.ts";

const url = requireService("REDIS_URL");
const valkey = requireService("VALKEY_URL");

const LINE = NEEDED_COMMANDS.map((command) => `+${command}`);

async function adminOf(server: OwnRedis): Promise<Redis> {
  const admin = new Redis(server.url);
  onTestFinished(() => admin.disconnect());
  await admin.ping();
  return admin;
}

/** The guide's user, and what the rules add or take away. */
async function giveRights(admin: Redis, rules: readonly string[] = []): Promise<void> {
  const user = ["modelgate", "reset", "on", ">secret", "~{modelgate}:*", "&{modelgate}:*", "-@all"];
  await admin.call("acl", ["setuser", ...user, ...LINE, ...rules]);
}

describe.skipIf(url === undefined)("an inspection of Redis", () => {
  it("tells what is there, and leaves no key", async () => {
    const prefix = `t-${randomBytes(8).toString("hex")}`;
    const seen = await inspectRedis({ url: url ?? "", prefix });
    expect(seen).toMatchObject({
      ...{ isReached: true, product: "Redis", isSupported: true, user: "default", tls: "none", prefix },
      ...{ role: "primary", replicas: 0, clusterState: undefined, evictionPolicy: "noeviction" },
      ...{ appendOnly: false, snapshots: false, isConfigHidden: false, missingRights: [], problems: [] },
      warnings: [{ setting: "appendonly" }],
    });
    expect(seen.serverVersion).toMatch(/^\d+\.\d+\.\d+$/);
    const client = new Redis(url ?? "");
    onTestFinished(() => client.disconnect());
    const [, keys] = await client.scan("0", "MATCH", `{${prefix}}*`, "COUNT", 100_000);
    expect(keys).toEqual([]);
  });

  it("tells of what a server is wrongly set to, and of TLS", async () => {
    const server = await ownRedis({
      "maxmemory-policy": "allkeys-lru",
      maxmemory: "64mb",
      appendonly: "yes",
    });
    const ca = await readFile(server.caFile, "utf8");
    const seen = await inspectRedis({ url: server.tlsUrl, tls: { ca } });
    expect(seen).toMatchObject({
      ...{ evictionPolicy: "allkeys-lru", maxMemoryBytes: 67_108_864, appendOnly: true },
      ...{ appendFsync: "everysec", problems: [], tls: expect.stringMatching(/^TLS/) },
      warnings: [{ setting: "maxmemory-policy", mend: expect.stringContaining("noeviction") }],
    });
  });

  it("says what is wrong with options, addresses and passwords, and no secret", async () => {
    const nobody = `redis://:hidden@127.0.0.1:${await freePort()}`;
    const server = await ownRedis();
    const wrong = new URL(server.url);
    wrong.password = "hidden";
    const replica = await ownRedis({ replicaof: `127.0.0.1 ${server.port}`, masterauth: server.password });
    const seen = await Promise.all(
      [{}, { url: nobody }, { url: wrong.href }, { url: replica.url }].map(inspectRedis),
    );
    expect(seen.map(({ isReached }) => isReached)).toEqual([false, false, false, false]);
    expect(seen.map(({ problems }) => problems)).toMatchObject([
      [{ step: "options", code: "INVALID_OPTIONS", field: "url" }],
      [{ step: "connect", code: "STORE_UNAVAILABLE", field: "url" }],
      [{ step: "connect", code: "STORE_UNAVAILABLE", field: "password" }],
      [{ step: "connect", code: "STORE_UNAVAILABLE", message: expect.stringContaining("replica") }],
    ]);
    expect(JSON.stringify(seen)).not.toContain("hidden");
  });
});

describe.skipIf(url === undefined)("the least rights", () => {
  it("are enough for everything, and each that is missing is named", async () => {
    const server = await ownRedis();
    const admin = await adminOf(server);
    await giveRights(admin);
    const options = {
      url: `redis://modelgate:secret@127.0.0.1:${server.port}`,
      onWarning: (text: string) => expect(text).not.toMatch(/heard/),
    };
    const seen = await inspectRedis(options);
    expect(seen).toMatchObject({ user: "modelgate", missingRights: [], problems: [], isConfigHidden: true });

    const { queue, wakeups, close } = redisBroker(options);
    onTestFinished(close);
    const heard: string[] = [];
    wakeups.subscribe("work", (names) => heard.push(...names));
    const lane = { lane: "m", background: false };
    const entry = (id: string, delayMs = 0): Parameters<typeof queue.enqueue>[0][number] => {
      return { id, ...lane, rank: 1, delayMs };
    };
    const before = await queue.incarnation();
    await queue.enqueue([entry("a"), entry("b"), entry("c", 1)]);
    await vi.waitFor(
      async () => expect(await queue.stats({ lanes: [lane] })).toMatchObject({ ready: [3] }),
      SOON,
    );
    const taken = await queue.take({ lanes: [{ ...lane, max: 2 }], max: 2, visibilityMs: 10_000 });
    expect(taken.map(({ id }) => id)).toEqual(["a", "b"]);
    const [one, other] = taken.map(({ receipt }) => receipt);
    await queue.settle([
      { receipt: one ?? "", kind: "done" },
      { receipt: other ?? "", kind: "back", delayMs: 0 },
    ]);
    expect((await queue.audit(undefined, 10)).items).toEqual(["b", "c"]);
    await queue.remove(["b"]);
    await admin.del("{modelgate}:queue:ready");
    expect(await queue.incarnation()).not.toBe(before);
    await vi.waitFor(async () => {
      await wakeups.publish("work", ["m"]);
      expect(heard).toContain("m");
    }, SOON);

    for (const command of NEEDED_COMMANDS) {
      await giveRights(admin, [`-${command}`]);
      const { missingRights, problems } = await inspectRedis(options);
      expect({ missingRights, problems }).toEqual({ missingRights: [`+${command}`], problems: [] });
    }
    await giveRights(admin, ["resetkeys", "~other:*"]);
    expect(await inspectRedis(options)).toMatchObject({ missingRights: ["~{modelgate}:*"], problems: [] });
    await giveRights(admin, ["resetchannels", "&other:*"]);
    expect(await inspectRedis(options)).toMatchObject({ missingRights: ["&{modelgate}:*"], problems: [] });
  });

  it("that are missing end a call with their name, and listening with a warning", async () => {
    const server = await ownRedis();
    const admin = await adminOf(server);
    await giveRights(admin, ["-subscribe", "-evalsha"]);
    const warnings: string[] = [];
    const { queue, wakeups, close } = redisBroker({
      url: `redis://modelgate:secret@127.0.0.1:${server.port}`,
      onWarning: (text) => warnings.push(text),
    });
    onTestFinished(close);
    wakeups.subscribe("work", () => {});
    await expect(queue.stats()).rejects.toMatchObject({
      code: "STORE_READ_ONLY",
      message: expect.stringContaining("may not run the command evalsha"),
    });
    await vi.waitFor(() => expect(warnings.join()).toMatch(/not heard.*command subscribe/), SOON);
  });
});

describe.skipIf(valkey === undefined)("an inspection of Valkey", () => {
  it("tells it from Redis", async () => {
    const seen = await inspectRedis({ url: valkey ?? "" });
    expect(seen).toMatchObject({ product: "Valkey", isSupported: true, missingRights: [], problems: [] });
    expect(seen.serverVersion).toMatch(/^[89]\./);
  });
});
