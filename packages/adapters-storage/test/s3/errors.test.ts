import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type S3ObjectStoreOptions, s3ObjectStore } from "../../src/s3/index.ts";
import { codeOf, errorOf, open, printed, read, streamOf } from "./fixture.ts";
import { type Bucket, makeBucket, s3Servers } from "./servers.ts";

describe.each(s3Servers())("what $name refuses", (server) => {
  let bucket: Bucket;
  beforeAll(async () => {
    bucket = await makeBucket(server);
  });
  afterAll(async () => await bucket?.remove());

  const store = (more: Partial<S3ObjectStoreOptions>): ReturnType<typeof s3ObjectStore> => {
    const made = s3ObjectStore(bucket.options(more));
    onTestFinished(() => made.close());
    return made;
  };
  const callsOf = (objects: ReturnType<typeof s3ObjectStore>): Record<string, () => Promise<unknown>> => ({
    put: () => objects.put("k", streamOf("x")),
    get: () => objects.get("k"),
    "get of a range": () => objects.get("k", { range: { start: 1 } }),
    stat: () => objects.stat("k"),
    list: () => objects.list(""),
    delete: () => objects.delete(["k"]),
  });

  it.each([
    ["a bucket that is not there", { bucket: `test-${randomBytes(6).toString("hex")}` }, "bucket"],
    ["an access key that it does not know", { accessKey: "nobody" }, "accessKey"],
    ["a wrong secret key", { secretKey: "wrong-secret" }, "secretKey"],
  ])("names the setting: %s", async (_, wrong, field) => {
    for (const [name, call] of Object.entries(callsOf(store(wrong)))) {
      expect(`${name}: ${await codeOf(call())}`).toBe(`${name}: INVALID_OPTIONS ${field}`);
    }
  });

  it("is told without secrets and without keys of objects", async () => {
    const secretKey = "a-secret-that-is-wrong";
    for (const wrong of [
      { secretKey },
      { bucket: "test-is-not-there" },
      { endpoint: "http://127.0.0.1:1", retries: 0 },
    ]) {
      const objects = store(wrong);
      for (const call of [
        () => objects.put("payloads/patient-7", streamOf("the payload")),
        () => objects.get("payloads/patient-7"),
        () => objects.delete(["payloads/patient-7"]),
        () => objects.stat("payloads/patient-7"),
      ]) {
        const text = printed(await errorOf(call()));
        for (const secret of [secretKey, server.secretKey, "patient-7", "the payload"]) {
          expect(text).not.toContain(secret);
        }
      }
    }
  });

  it("is told without a word of what came when that was no answer at all", async () => {
    const { store: objects, proxy } = await open(bucket, { retries: 1 });
    proxy.fail(/./, { act: "babble", text: "patient-7 was seen" }, 2);
    const error = await errorOf(objects.get("k"));
    expect(error).toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(printed(error)).not.toMatch(/patient-7|Buffer/);
    expect(proxy.seen).toHaveLength(2);
  });

  it("for now is tried again so often as is allowed, and then told as it was", async () => {
    const { store: objects, proxy } = await open(bucket, { retries: 2 });
    for (const [status, code] of [
      [503, "SlowDown"],
      [500, "InternalError"],
      [429, "TooManyRequests"],
    ] as const) {
      proxy.fail(/./, { act: "refuse", status, code }, 3);
      const before = proxy.seen.length;
      const error = await errorOf(objects.put("k", streamOf("x")));
      expect(error).toMatchObject({
        code: "STORE_UNAVAILABLE",
        retryable: true,
        details: { status, reason: code },
      });
      expect(proxy.seen.length - before).toBe(3);
    }
    await objects.put("k", streamOf("x"));
  });

  it.each([
    [403, "QuotaExceeded", "STORE_FULL QuotaExceeded"],
    [507, "XMinioStorageFull", "STORE_FULL XMinioStorageFull"],
    [507, "", "STORE_FULL"],
    [403, "AccessDenied", "STORE_READ_ONLY AccessDenied"],
    [403, "RequestTimeTooSkewed", "STORE_UNAVAILABLE RequestTimeTooSkewed"],
    [400, "AuthorizationHeaderMalformed", "INVALID_OPTIONS region"],
    [301, "PermanentRedirect", "INVALID_OPTIONS region"],
    [400, "ExpiredToken", "INVALID_OPTIONS sessionToken"],
    [400, "InvalidArgument", "ADAPTER_FAILED InvalidArgument"],
  ])("for good is not tried again: %i %s", async (status, code, expected) => {
    const { store: objects, proxy } = await open(bucket);
    proxy.fail(/./, { act: "refuse", status, code });
    expect(await codeOf(objects.put("k", streamOf("x")))).toBe(expected);
    expect(proxy.seen).toHaveLength(1);
  });

  it("of single keys in a delete is told, and keeps no other from being removed", async () => {
    const { store: objects, proxy } = await open(bucket);
    const keys = Array.from({ length: 1001 }, (_, at) => `k${String(at).padStart(4, "0")}`);
    for (const key of keys.slice(-2)) await objects.put(key, streamOf("x"));
    const errors = "<Error><Key>k0001!</Key><Code>AccessDenied</Code></Error>".repeat(3);
    proxy.fail(/^POST .*delete/, { act: "answer", text: `<DeleteResult>${errors}</DeleteResult>` });
    const error = await errorOf(objects.delete(keys));
    expect(error).toMatchObject({ code: "STORE_READ_ONLY", details: { failed: 3, reason: "AccessDenied" } });
    // The first thousand were refused, the last was removed.
    expect((await objects.list("")).items.map(({ key }) => key)).toEqual([keys.at(-2)]);
  });

  it("is an answer of 200 in whose body an error stands", async () => {
    const { store: objects, proxy } = await open(bucket, { retries: 0 });
    const text = '<?xml version="1.0"?>\n <Error><Code>InternalError</Code></Error>';
    proxy.fail(/./, { act: "answer", text });
    expect(await codeOf(objects.list(""))).toBe("STORE_UNAVAILABLE InternalError");
  });

  it("is a server that is away, for as long as it is", async () => {
    const { store: objects, proxy } = await open(bucket, { retries: 1 });
    await objects.put("k", streamOf("x"));
    const away = s3ObjectStore(bucket.options({ endpoint: "http://127.0.0.1:1", retries: 1 }));
    for (const [name, call] of Object.entries(callsOf(away))) {
      expect(`${name}: ${await codeOf(call())}`).toBe(`${name}: STORE_UNAVAILABLE ECONNREFUSED`);
    }
    await away.close();
    proxy.fail(/./, { act: "lose-reply" }, 2);
    expect(await codeOf(objects.get("k"))).toBe("STORE_UNAVAILABLE ECONNRESET");
    expect((await read(objects, "k")).toString()).toBe("x");
  });
});
