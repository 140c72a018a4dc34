import { Client } from "minio";
import { describe, expect, it } from "vitest";
import { type S3ObjectStoreOptions, s3ObjectStore } from "../../src/s3/index.ts";

const KEYS = { accessKey: "access", secretKey: "a-secret" };
const GOOD: S3ObjectStoreOptions = { endpoint: "http://127.0.0.1:9000", bucket: "some-bucket", ...KEYS };

describe("options", () => {
  it.each([
    ["endpoint", undefined],
    ["endpoint", "127.0.0.1:9000"],
    ["endpoint", "ftp://127.0.0.1"],
    ["endpoint", "http://user:a-secret@127.0.0.1:9000"],
    ["endpoint", "http://127.0.0.1:9000/bucket"],
    ["endpoint", "http://127.0.0.1:9000/?a-secret"],
    ["bucket", undefined],
    ["bucket", "ab"],
    ["bucket", "Upper"],
    ["bucket", "a..b"],
    ["bucket", "192.168.0.1"],
    ["bucket", "x".repeat(64)],
    ["prefix", "/a"],
    ["prefix", "a//b"],
    ["prefix", "a/../b"],
    ["prefix", "ä"],
    ["prefix", "x".repeat(501)],
    ["region", ""],
    ["accessKey", undefined],
    ["accessKey", ""],
    ["secretKey", undefined],
    ["secretKey", "a-secret\n"],
    ["sessionToken", ""],
    ["client", {}],
    ["addressing", "host"],
    ["partSizeBytes", 5 * 1024 * 1024 - 1],
    ["partSizeBytes", 512 * 1024 * 1024 + 1],
    ["partSizeBytes", Number.NaN],
    ["uploadConcurrency", 0],
    ["uploadConcurrency", 1.5],
    ["encryption", { kind: "other" }],
    ["encryption.keyId", { kind: "kms" }],
    ["connectTimeoutMs", 0],
    ["requestTimeoutMs", Number.POSITIVE_INFINITY],
    ["retries", -1],
    ["tls.ca", { ca: "/etc/ssl/ca.pem" }],
    ["tls.verify", { verify: "no" }],
  ])("are refused, naming %s, when it is %j", (field, value) => {
    const wrong = { ...GOOD, [field.replace(/\..*/, "")]: value } as S3ObjectStoreOptions;
    let error: unknown;
    try {
      s3ObjectStore(wrong);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: "INVALID_OPTIONS", details: { field } });
    expect(String(error)).toContain(field);
    expect(String(error)).not.toContain("a-secret");
  });

  it.each([
    ["a port of its own", "http://[::1]:9000", "http://[::1]:9000/some-bucket/k%21?"],
    ["the scheme's port", "https://s3.example.org", "https://s3.example.org/some-bucket/k%21?"],
  ])("take an endpoint with %s", async (_, endpoint, expected) => {
    const store = s3ObjectStore({ ...GOOD, endpoint });
    expect(await store.presign("k", 60_000)).toMatch(new RegExp(`^${escaped(expected)}`));
    await store.close();
  });

  it("put the bucket before the host where that is asked for", async () => {
    const store = s3ObjectStore({ ...GOOD, endpoint: "http://s3.example.org", addressing: "virtual-host" });
    expect(await store.presign("a/b", 60_000)).toMatch(/^http:\/\/some-bucket\.s3\.example\.org\/a\/b%21\?/);
    await store.close();
  });

  it("need neither endpoint nor keys beside a client", async () => {
    const client = new Client({ endPoint: "127.0.0.1", port: 9000, useSSL: false, ...KEYS, region: "r" });
    const store = s3ObjectStore({ client, bucket: "some-bucket", prefix: "p" });
    expect(await store.presign("k", 60_000)).toMatch(/^http:\/\/127\.0\.0\.1:9000\/some-bucket\/p\/k%21\?/);
    await store.close();
  });

  it("of an address bound its life to seven days", async () => {
    const store = s3ObjectStore(GOOD);
    for (const expiresInMs of [0, 999, -1, Number.NaN, 7 * 24 * 3_600_000 + 1]) {
      await expect(store.presign("k", expiresInMs)).rejects.toMatchObject({
        code: "INVALID_REQUEST",
        details: { field: "expiresInMs" },
      });
    }
    expect(await store.presign("k", 1999)).toContain("X-Amz-Expires=1&");
    await store.close();
  });
});

function escaped(text: string): string {
  return text.replace(/[[\]?.]/g, "\\$&");
}
