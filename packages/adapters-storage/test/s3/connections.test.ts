import { readFileSync } from "node:fs";
import type { AddressInfo, Socket } from "node:net";
import { createServer } from "node:net";
import type { ObjectRead } from "@modelgate/core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { s3ObjectStore } from "../../src/s3/index.ts";
import { requireService } from "../support/services.ts";
import { bytesOf, codeOf, MIB, open, read, readAll, streamOf, until } from "./fixture.ts";
import { type Bucket, makeBucket, s3Servers } from "./servers.ts";

describe.each(s3Servers())("connections to $name", (server) => {
  let bucket: Bucket;
  beforeAll(async () => {
    bucket = await makeBucket(server);
  });
  afterAll(async () => await bucket?.remove());

  it("are used again, and ended by closing", async () => {
    const { store, proxy } = await open(bucket);
    for (let at = 0; at < 20; at += 1) await store.put(`k${at}`, streamOf("x"));
    expect(proxy.connections).toBe(1);
    for (let at = 0; at < 20; at += 1) await read(store, `k${at}`);
    expect(proxy.connections).toBe(2);
    await store.close();
    await until("no connection is left", () => proxy.openConnections === 0);
  });

  it("are used again after a refusal", async () => {
    const { store, proxy } = await open(bucket);
    for (let at = 0; at < 10; at += 1) expect(await store.get("nothing")).toBeUndefined();
    expect(proxy.connections).toBe(1);
  });

  it("for calls are bounded, and bodies that are being read do not take them up", async () => {
    const { store, proxy } = await open(bucket);
    await store.put("k", streamOf(bytesOf(4 * MIB)));
    const bodies: ObjectRead[] = [];
    for (let at = 0; at < 100; at += 1) bodies.push((await store.get("k")) as ObjectRead);
    const before = proxy.connections;
    await Promise.all(Array.from({ length: 200 }, (_, at) => store.put(`p${at}`, streamOf("x"))));
    expect(proxy.connections - before).toBeLessThanOrEqual(64);
    for (const { body } of bodies) await body[Symbol.asyncIterator]().return?.();
    await until("the bodies' connections are gone", () => proxy.openConnections <= 64);
  });

  it("keep nobody waiting whose server does not answer", async () => {
    const { store, proxy } = await open(bucket, { requestTimeoutMs: 200, retries: 1 });
    proxy.fail(/./, { act: "stall" }, 2);
    const startedMs = performance.now();
    expect(await codeOf(store.stat("k"))).toBe("STORE_UNAVAILABLE ETIMEDOUT");
    expect(performance.now() - startedMs).toBeLessThan(1500);
    expect(proxy.seen).toHaveLength(2);
  });

  it("of an upload may take longer than the limit as long as something moves", async () => {
    const { store } = await open(bucket, { requestTimeoutMs: 300 });
    const body = async function* (): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < 8; at += 1) {
        await new Promise((resolve) => setTimeout(resolve, 150));
        yield bytesOf(MIB, at);
      }
    };
    expect((await store.put("k", body())).sizeBytes).toBe(8 * MIB);
  });
});

describe("a connection that does not come about", () => {
  it("is given up after its time", async () => {
    const sockets: Socket[] = [];
    // Takes connections, and never says a word of TLS.
    const silent = createServer((socket) => void sockets.push(socket)).listen(0, "127.0.0.1");
    await new Promise((resolve) => silent.once("listening", resolve));
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      silent.close();
    });
    const endpoint = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const options = { endpoint, bucket: "some-bucket", accessKey: "a", secretKey: "s", retries: 0 };
    const store = s3ObjectStore({ ...options, connectTimeoutMs: 200 });
    onTestFinished(() => store.close());
    const startedMs = performance.now();
    expect(await codeOf(store.stat("k"))).toBe("STORE_UNAVAILABLE ETIMEDOUT");
    expect(performance.now() - startedMs).toBeLessThan(1500);
  });
});

const secureEndpoint = requireService("S3_TLS_ENDPOINT");

describe.skipIf(secureEndpoint === undefined)("TLS", () => {
  const [server] = s3Servers();
  const endpoint = secureEndpoint ?? "";
  let bucket: Bucket;
  beforeAll(async () => {
    if (server !== undefined) bucket = await makeBucket(server);
  });
  afterAll(async () => await bucket?.remove());
  const ca = secureEndpoint === undefined ? "" : readFileSync(process.env["S3_CA_FILE"] ?? "", "utf8");

  it.each([
    ["with the authority that is given", { ca }],
    ["unchecked where that is asked for", { verify: false }],
  ])("carries all that plain HTTP does: %s", async (_, tls) => {
    const store = s3ObjectStore(bucket.options({ endpoint, tls, partSizeBytes: 5 * MIB }));
    onTestFinished(() => store.close());
    const bytes = bytesOf(11 * MIB);
    await store.put("large", streamOf(bytes));
    await store.put("small", streamOf("small"));
    expect((await readAll((await store.get("large"))?.body)).equals(bytes)).toBe(true);
    expect((await store.list("")).items.map(({ key }) => key)).toEqual(["large", "small"]);
    await store.delete(["large", "small"]);
    expect(await store.stat("large")).toBeUndefined();
  });

  it("refuses a certificate of an authority that it does not know", async () => {
    const store = s3ObjectStore(bucket.options({ endpoint, retries: 5 }));
    onTestFinished(() => store.close());
    expect(await codeOf(store.put("k", streamOf("x")))).toBe("INVALID_OPTIONS tls.ca");
  });
});
