import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, onTestFinished } from "vitest";
import { startRabbitmq, startRedis, startValkey } from "../../scripts/services/index.mjs";
import { whyNot } from "../../scripts/services/packages.mjs";
import { leftOf, noteTree, root, run } from "./launched.ts";

/** Drivers as the adapters have them; the repository itself depends on none. */
const ofAdapters = createRequire(join(root, "packages/adapters-storage/package.json"));
const { Redis } = ofAdapters("ioredis");
const amqp = ofAdapters("amqplib");

/** A node of 3.10 takes seven seconds to come back, on both cores. */
const isLong = process.env["MODELGATE_BROKERS_LONG"] === "1";

const running: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const service of running.splice(0).reverse()) await service.close();
});

function isMissing(service: string): boolean {
  const reason = whyNot(service);
  if (reason !== undefined) console.warn(`SKIPPED outages of ${service}: it ${reason}`);
  return reason !== undefined && process.env["CI"] !== "true";
}

async function command(url: string, ...words: string[]): Promise<unknown> {
  const options = { lazyConnect: true, retryStrategy: null, commandTimeout: 300, tls: undefined };
  const client = new Redis(url, options);
  const failed = new Promise((_, fail) => client.on("error", fail));
  failed.catch(() => {});
  try {
    await Promise.race([client.connect(), failed]);
    return await client.call(...words);
  } finally {
    client.disconnect();
  }
}

/** Publishes `messages` to a durable queue; resolves to how many can be taken from it, which all go back. */
async function countAfter(url: string, messages: number): Promise<number> {
  const connection = await amqp.connect(url, { timeout: 5000 });
  connection.on("error", () => {});
  try {
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue("kept", { durable: true, arguments: { "x-queue-type": "quorum" } });
    for (let count = 0; count < messages; count += 1) {
      channel.sendToQueue("kept", Buffer.from("x"), { persistent: true });
    }
    await channel.waitForConfirms();
    // The length that is told of a quorum queue stays 0 after a crash until somebody uses it.
    let count = 0;
    while ((await channel.get("kept")) !== false) count += 1;
    return count;
  } finally {
    await connection.close();
  }
}

describe.skipIf(isMissing("redis"))("a Redis that a script started", () => {
  it.each([
    ["Redis", "none", startRedis, null],
    ["Redis", "aof-always", startRedis, "7"],
    ["Valkey", "none", startValkey, null],
  ])("(%s, persistence %s) comes back with what it wrote down", async (_name, persistence, start, kept) => {
    const server = await start({ persistence, settings: { "maxmemory-policy": "noeviction" } });
    running.push(server);
    const { url } = server;
    await command(url, "SET", "key", "7");
    expect(await command(url, "CONFIG", "GET", "maxmemory-policy")).toContain("noeviction");

    await server.kill();
    expect(server.pids).toEqual([]);
    await expect(command(url, "PING")).rejects.toThrow("ECONNREFUSED");
    await server.restart();
    expect(await command(url, "GET", "key")).toBe(kept);

    await server.pause();
    await expect(command(url, "PING")).rejects.toThrow(/timed out/);
    await server.resume();
    expect(await command(url, "PING")).toBe("PONG");
    await expect(command(url.replace(server.password, "wrong"), "PING")).rejects.toThrow(/WRONGPASS/);
  });
});

describe.skipIf(!isLong || isMissing("rabbitmq"))("a RabbitMQ that a script started", () => {
  it.each([3, 4])(
    "(version %i) keeps what it confirmed through a crash, a stop and a pause",
    async (version) => {
      const server = await startRabbitmq({ version, settings: { channel_max: 100 } });
      running.push(server);
      const { url } = server;
      expect(await countAfter(url, 3)).toBe(3);
      expect(await server.control("version")).toMatch(new RegExp(`^${version}\\.`));

      await server.kill();
      expect(server.pids).toEqual([]);
      await expect(countAfter(url, 0)).rejects.toThrow("ECONNREFUSED");
      await server.start();
      expect(await countAfter(url, 0)).toBe(3);

      await server.stop();
      await server.restart();
      expect(await countAfter(url, 1)).toBe(4);

      await server.pause();
      await expect(countAfter(url, 0)).rejects.toThrow("ETIMEDOUT");
      await server.resume();
      expect(await countAfter(url, 0)).toBe(4);
      await expect(countAfter(url.replace(server.password, "wrong"), 0)).rejects.toThrow(/ACCESS[_-]REFUSED/);
    },
  );

  it.each([3, 4])(
    "(version %i) is gone when its script is killed, even when it was paused",
    async (version) => {
      const TMPDIR = mkdtempSync(join(tmpdir(), "modelgate-brokers-"));
      run("chmod", ["755", TMPDIR]);
      onTestFinished(() => rmSync(TMPDIR, { recursive: true, force: true }));
      const script = `
      import { startRabbitmq } from "${root}scripts/services/index.mjs";
      const server = await startRabbitmq({ version: ${version} });
      await server.pause();
      console.log("paused");
      setInterval(() => {}, 1000);`;
      const launched = run(process.execPath, ["--input-type=module", "-e", script], { TMPDIR });
      await launched.line("paused");
      const tree = noteTree(launched.child.pid as number);
      expect(tree.length).toBeGreaterThan(5);
      launched.child.kill("SIGKILL");
      expect(await leftOf(tree)).toEqual([]);
      await expect.poll(() => readdirSync(TMPDIR), { timeout: 3000 }).toEqual([]);
    },
  );
});
