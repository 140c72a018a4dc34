import type { ByteStream } from "@modelgate/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bytesOf, codeOf, errorOf, MIB, open, read, stalled, streamOf, until } from "./fixture.ts";
import { type Bucket, makeBucket, s3Servers } from "./servers.ts";

const PART = 5 * MIB;
const BEGIN = /^POST .*\?uploads$/;
const SEND_PART = /^PUT .*partNumber=/;
const COMPLETE = /^POST .*\?uploadId=/;
const END = /^DELETE .*\?uploadId=/;

describe.each(s3Servers())("a put to $name", (server) => {
  let bucket: Bucket;
  beforeAll(async () => {
    bucket = await makeBucket(server);
  });
  afterAll(async () => await bucket?.remove());

  it("goes in one request up to the size of a part, and in parts beyond", async () => {
    const { store, proxy } = await open(bucket);
    await store.put("one", streamOf(bytesOf(PART)));
    expect(proxy.requests(/./)).toHaveLength(1);
    const bytes = bytesOf(2 * PART + 1, 2);
    expect(await store.put("parts", streamOf(bytes))).toMatchObject({ sizeBytes: bytes.length });
    expect(proxy.requests(SEND_PART)).toHaveLength(3);
    expect((await read(store, "parts")).equals(bytes)).toBe(true);
  });

  it("sends a part again that was interrupted, refused for now or changed on its way", async () => {
    const { store, proxy } = await open(bucket);
    proxy.fail(BEGIN, { act: "refuse", status: 503, code: "SlowDown" });
    proxy.fail(SEND_PART, { act: "cut-upload", afterBytes: MIB });
    proxy.fail(SEND_PART, { act: "lose-reply" });
    proxy.fail(SEND_PART, { act: "refuse", status: 500, code: "InternalError" });
    proxy.fail(SEND_PART, { act: "corrupt" });
    const bytes = bytesOf(2 * PART + 1, 3);
    await store.put("k", streamOf(bytes));
    expect(proxy.requests(SEND_PART)).toHaveLength(7);
    expect((await read(store, "k")).equals(bytes)).toBe(true);
    expect(await bucket.uploads()).toEqual([]);
  });

  it("of a small body is sent again after an interruption", async () => {
    const { store, proxy } = await open(bucket);
    proxy.fail(/^PUT/, { act: "lose-reply" });
    proxy.fail(/^PUT/, { act: "corrupt" });
    await store.put("k", streamOf("small"));
    expect((await read(store, "k")).toString()).toBe("small");
  });

  it("ends, and leaves no parts, when a part cannot be sent, although its source has stalled", async () => {
    const { store, proxy } = await open(bucket, { retries: 1 });
    proxy.fail(SEND_PART, { act: "refuse", status: 503, code: "SlowDown" }, 100);
    const call = store.put("k", stalled(bytesOf(PART + 1)));
    expect(await codeOf(call)).toBe("STORE_UNAVAILABLE SlowDown");
    expect(await bucket.uploads()).toEqual([]);
    expect(await store.stat("k")).toBeUndefined();
  });

  it("leaves no parts when its body throws, and rejects with what that threw", async () => {
    const { store } = await open(bucket);
    const failure = Object.assign(new Error("the sender hung up"), { code: "ECONNRESET" });
    const body = async function* (): ByteStream {
      yield* streamOf(bytesOf(PART + MIB));
      throw failure;
    };
    expect(await errorOf(store.put("k", body()))).toBe(failure);
    expect(await bucket.uploads()).toEqual([]);
  });

  it("is over at once when it is aborted, and leaves no parts a moment later", async () => {
    const { store, proxy } = await open(bucket);
    proxy.fail(SEND_PART, { act: "stall" }, 100);
    const controller = new AbortController();
    const reason = new Error("enough");
    const call = errorOf(store.put("k", stalled(bytesOf(PART + 1)), { signal: controller.signal }));
    await until("a part is on its way", () => proxy.requests(SEND_PART).length === 1);
    const startedMs = performance.now();
    controller.abort(reason);
    expect(await call).toBe(reason);
    expect(performance.now() - startedMs).toBeLessThan(500);
    await until("nothing is left", async () => (await bucket.uploads()).length === 0);
  });

  it("leaves no upload when it is aborted while the server begins one", async () => {
    const { store, proxy } = await open(bucket, { requestTimeoutMs: 300 });
    const controller = new AbortController();
    // The first request gets no answer, so that the id is known only after the abort.
    proxy.fail(BEGIN, { act: "stall" });
    const call = errorOf(store.put("k", stalled(bytesOf(PART + 1)), { signal: controller.signal }));
    await until("an upload begins", () => proxy.requests(BEGIN).length === 1);
    controller.abort(new Error("enough"));
    await call;
    await until("it was ended", () => proxy.requests(END).length === 1);
    await until("nothing is left", async () => (await bucket.uploads()).length === 0);
  });

  it("is ended by closing, which waits until its parts are gone", async () => {
    const { store, proxy } = await open(bucket);
    const call = codeOf(store.put("k", stalled(bytesOf(PART + 1))));
    await until("a part is on its way", () => proxy.requests(SEND_PART).length === 1);
    await store.close();
    expect(await call).toBe("CLOSED");
    expect(await bucket.uploads()).toEqual([]);
    await until("no connection is left", () => proxy.openConnections === 0);
  });

  it.each([1, 2])("is stored although the reply to its completion was lost %i times", async (times) => {
    const { store, proxy } = await open(bucket);
    proxy.fail(COMPLETE, { act: "lose-reply" }, times);
    const bytes = bytesOf(PART + 1, 4);
    expect(await store.put("k", streamOf(bytes))).toMatchObject({ sizeBytes: bytes.length });
    expect((await read(store, "k")).equals(bytes)).toBe(true);
  });

  it("is stored although every reply to its completion was lost", async () => {
    const { store, proxy } = await open(bucket, { retries: 1 });
    proxy.fail(COMPLETE, { act: "lose-reply" }, 2);
    await store.put("k", streamOf(bytesOf(PART + 1, 5)));
    expect(proxy.requests(/^HEAD/)).toHaveLength(1);
  });

  it("is refused when somebody has ended its upload, also where an older object is there", async () => {
    const { store } = await open(bucket);
    const older = bytesOf(PART + 1, 6);
    await store.put("k", streamOf(older));
    for (const key of ["k", "new"]) {
      const body = async function* (): ByteStream {
        yield* streamOf(bytesOf(2 * PART + 1, 7));
        await until("an upload was begun", async () => (await bucket.uploads()).length === 1);
        const [name = ""] = await bucket.uploads();
        const uploadId = await bucket.admin.findUploadId(bucket.name, name);
        await bucket.admin.abortMultipartUpload(bucket.name, name, uploadId ?? "");
      };
      expect(await codeOf(store.put(key, body()))).toBe("STORE_UNAVAILABLE NoSuchUpload");
    }
    expect((await read(store, "k")).equals(older)).toBe(true);
    expect(await store.stat("new")).toBeUndefined();
  });

  it("is refused when its upload is ended right before it is completed", async () => {
    const { store, proxy } = await open(bucket);
    const older = bytesOf(PART + 1, 8);
    await store.put("k", streamOf(older));
    proxy.onRequest = async (line) => {
      const [name] = COMPLETE.test(line) ? await bucket.uploads() : [];
      if (name === undefined) return;
      const uploadId = await bucket.admin.findUploadId(bucket.name, name);
      await bucket.admin.abortMultipartUpload(bucket.name, name, uploadId ?? "");
    };
    // Ceph says InternalError.
    expect(await codeOf(store.put("k", streamOf(bytesOf(PART + 2, 9))))).toMatch(/^STORE_UNAVAILABLE /);
    expect((await read(store, "k")).equals(older)).toBe(true);
  });
});
