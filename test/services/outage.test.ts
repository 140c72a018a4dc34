import { createRequire } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { startCeph, startPgbouncer, startPostgres } from "../../scripts/services/index.mjs";
import { whyNot } from "../../scripts/services/packages.mjs";
import { choosePort } from "../../scripts/services/ports.mjs";
import { onFreePort } from "../../scripts/services/service.mjs";
import { root } from "./launched.ts";

/** Drivers as the adapters have them; the repository itself depends on none. */
const ofAdapters = createRequire(join(root, "packages/adapters-storage/package.json"));
const { Client } = ofAdapters("pg");
const minio = ofAdapters("minio");

type Service = Pick<Awaited<ReturnType<typeof startPostgres>>, "close">;

const running: Service[] = [];
afterEach(async () => {
  for (const service of running.splice(0).reverse()) await service.close();
});

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 300 });
  client.on("error", () => {});
  try {
    await client.connect();
    return (await client.query({ text, rowMode: "array" })).rows.flat();
  } finally {
    await client.end().catch(() => {});
  }
}

function isMissing(service: string): boolean {
  const reason = whyNot(service);
  if (reason !== undefined) console.warn(`SKIPPED outages of ${service}: it ${reason}`);
  return reason !== undefined && process.env["CI"] !== "true";
}

describe("a PostgreSQL that a script started", () => {
  it("keeps port and rows through a crash, a stop and a pause, and checks passwords", async () => {
    const server = await startPostgres({ version: 18 });
    running.push(server);
    const { url } = server;
    await query(url, "create table kept as select 7 as value");

    await server.kill();
    expect(server.pids).toEqual([]);
    await expect(query(url, "select 1")).rejects.toThrow("ECONNREFUSED");
    await server.restart();
    expect(await query(url, "select value from kept")).toEqual([7]);

    await server.stop();
    await expect(query(url, "select 1")).rejects.toThrow("ECONNREFUSED");
    await server.restart();
    await server.restart();
    expect(await query(url, "select value from kept")).toEqual([7]);

    await server.pause();
    await expect(query(url, "select 1")).rejects.toThrow(/timeout/);
    await server.resume();
    expect(await query(url, "select value from kept")).toEqual([7]);

    const wrong = new URL(url);
    wrong.password = "wrong";
    await expect(query(wrong.href, "select 1")).rejects.toThrow("password authentication failed");
  });

  it.skipIf(isMissing("pgbouncer"))("is reached through a pooler, which ends and comes back", async () => {
    const server = await startPostgres({ version: 18, durable: true });
    const pooler = await startPgbouncer({ url: server.url });
    running.push(server, pooler);
    expect(await query(pooler.url, "show fsync")).toEqual(["on"]);
    await pooler.kill();
    await expect(query(pooler.url, "select 7")).rejects.toThrow("ECONNREFUSED");
    await pooler.restart();
    expect(await query(pooler.url, "select 7")).toEqual([7]);
  });
});

describe.skipIf(isMissing("s3"))("Ceph that a script started", () => {
  it("keeps its objects while the gateway is away, and takes no wrong key", async () => {
    const ceph = await startCeph();
    running.push(ceph);
    const { hostname, port } = new URL(ceph.endpoint);
    const address = { endPoint: hostname, port: Number(port), useSSL: false, region: ceph.region };
    const client = new minio.Client({ ...address, accessKey: ceph.accessKey, secretKey: ceph.secretKey });
    const size = async (): Promise<number> => (await client.statObject("bucket", "key")).size;
    await client.makeBucket("bucket");
    await client.putObject("bucket", "key", "seven b");
    expect(await size()).toBe(7);
    await ceph.kill();
    await expect(size()).rejects.toThrow(/ECONNREFUSED|hang up|ECONNRESET/);
    await ceph.restart();
    expect(await size()).toBe(7);
    const stranger = new minio.Client({ ...address, accessKey: ceph.accessKey, secretKey: "wrong" });
    await expect(stranger.listBuckets()).rejects.toMatchObject({ code: "SignatureDoesNotMatch" });
  });
});

describe("a port", () => {
  it("that somebody else took in the meantime is exchanged for another", async () => {
    const listen = (port: number): Promise<ReturnType<typeof createServer>> =>
      new Promise((open, fail) => {
        const server = createServer().once("error", fail);
        server.listen(port, "127.0.0.1", () => open(server));
      });
    const taken = await choosePort();
    const other = await listen(taken);
    const ports = [taken, await choosePort()];
    const server = await onFreePort(undefined, async () => ports.shift() as number, listen);
    expect(ports).toEqual([]);
    await expect(onFreePort(taken, choosePort, listen)).rejects.toThrow("EADDRINUSE");
    server.close();
    other.close();
  });
});
