import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bytesOf, codeOf, MIB, open, read, readAll, streamOf } from "./fixture.ts";
import { type Bucket, makeBucket, s3Servers } from "./servers.ts";

const SIZE = 12 * MIB;
const READ = /^GET .*\/k%21$/;

describe.each(s3Servers())("a get from $name", (server) => {
  let bucket: Bucket;
  const bytes = bytesOf(SIZE);
  beforeAll(async () => {
    bucket = await makeBucket(server);
  });
  afterAll(async () => await bucket?.remove());

  it("goes on where the connection broke, with the same content only", async () => {
    const { store, proxy } = await open(bucket);
    const { sizeBytes } = await store.put("k", streamOf(bytes));
    proxy.fail(READ, { act: "cut-download", afterBytes: 3 * MIB });
    proxy.fail(READ, { act: "cut-download", afterBytes: 2 * MIB });
    expect((await read(store, "k")).equals(bytes)).toBe(true);
    const reads = proxy.seen.filter(({ method, url }) => READ.test(`${method} ${url}`));
    const etag = reads[1]?.headers["if-match"];
    expect(etag).toMatch(/^"[0-9a-f]+-3"$/);
    const last = sizeBytes - 1;
    expect(reads.map(({ headers }) => headers.range)).toEqual([
      undefined,
      `bytes=${3 * MIB}-${last}`,
      `bytes=${5 * MIB}-${last}`,
    ]);
  });

  it("of a range goes on within it", async () => {
    const { store, proxy } = await open(bucket);
    await store.put("k", streamOf(bytes));
    proxy.fail(READ, { act: "cut-download", afterBytes: MIB + 17 });
    const found = await store.get("k", { range: { start: 5, end: 4 * MIB } });
    expect((await readAll(found?.body)).equals(bytes.subarray(5, 4 * MIB + 1))).toBe(true);
    expect(found?.sizeBytes).toBe(SIZE);
    expect(proxy.seen.at(-1)?.headers.range).toBe(`bytes=${5 + MIB + 17}-${4 * MIB}`);
  });

  it.each([
    ["replaced", async (store) => void (await store.put("k", streamOf(bytesOf(SIZE, 2))))],
    ["deleted", async (store) => await store.delete(["k"])],
  ] as [string, (store: Awaited<ReturnType<typeof open>>["store"]) => Promise<void>][])(
    "never mixes contents: when the connection breaks and the object was %s, it throws",
    async (_, spoil) => {
      const { store, proxy } = await open(bucket);
      await store.put("k", streamOf(bytes));
      proxy.fail(READ, { act: "cut-download", afterBytes: 3 * MIB });
      const found = await store.get("k");
      const iterator = found?.body[Symbol.asyncIterator]();
      await iterator?.next();
      // The server must be rid of the reader first: MinIO lets nobody touch an object that is being sent.
      await sleep(200);
      await spoil(store);
      const rest = { [Symbol.asyncIterator]: () => iterator as AsyncIterator<Uint8Array> };
      expect(await codeOf(readAll(rest))).toBe("STORE_UNAVAILABLE");
    },
  );

  it("asks again when nothing comes any more, and gives up when nothing ever does", async () => {
    const { store, proxy } = await open(bucket, { requestTimeoutMs: 400, retries: 1 });
    await store.put("k", streamOf(bytes));
    proxy.fail(READ, { act: "stall-download", afterBytes: 3 * MIB });
    expect((await read(store, "k")).equals(bytes)).toBe(true);
    expect(proxy.requests(READ)).toHaveLength(2);
    proxy.fail(READ, { act: "stall-download", afterBytes: 0 }, 100);
    expect(await codeOf(read(store, "k"))).toBe("STORE_UNAVAILABLE ETIMEDOUT");
  });

  it("lets its reader pause for longer than the server may", async () => {
    const { store, proxy } = await open(bucket, { requestTimeoutMs: 300 });
    await store.put("k", streamOf(bytes));
    const iterator = (await store.get("k"))?.body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    const first = await iterator.next();
    await sleep(900);
    const rest = await readAll({ [Symbol.asyncIterator]: () => iterator });
    expect(Buffer.concat([first.value, rest]).equals(bytes)).toBe(true);
    expect(proxy.requests(READ)).toHaveLength(1);
  });

  it("is tried again when it is refused for now, and when its reply is lost", async () => {
    const { store, proxy } = await open(bucket);
    await store.put("k", streamOf("small"));
    proxy.fail(READ, { act: "refuse", status: 503, code: "SlowDown" });
    proxy.fail(READ, { act: "lose-reply" });
    expect((await read(store, "k")).toString()).toBe("small");
    proxy.fail(/^(HEAD|GET|POST) /, { act: "lose-reply" }, 3);
    expect((await store.stat("k"))?.sizeBytes).toBe(5);
    proxy.fail(/^GET .*list-type/, { act: "cut-download", afterBytes: 100 });
    expect((await store.list("")).items.map(({ key }) => key)).toEqual(["k"]);
    proxy.fail(/^POST .*delete/, { act: "lose-reply" });
    await store.delete(["k"]);
    expect(await store.stat("k")).toBeUndefined();
  });

  it("reads on, however slowly, after the object was deleted or replaced", { timeout: 60_000 }, async () => {
    const { store } = await open(bucket);
    // MinIO has these wait until it has sent what is being read; see docs/decisions/2026-11-21-s3.md.
    const isHeldUp = server.name === "minio";
    const large = bytesOf(48 * MIB, 3);
    for (const spoil of [() => store.put("k", streamOf("new")), () => store.delete(["k"])]) {
      await store.put("k", streamOf(large));
      const iterator = (await store.get("k"))?.body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
      const first = await iterator.next();
      const spoiling = spoil();
      if (!isHeldUp) await spoiling;
      await sleep(300);
      const rest = await readAll({ [Symbol.asyncIterator]: () => iterator });
      expect(Buffer.concat([first.value, rest]).equals(large)).toBe(true);
      await spoiling;
    }
  });
});
