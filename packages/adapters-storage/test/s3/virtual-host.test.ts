import dns from "node:dns";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { s3ObjectStore } from "../../src/s3/index.ts";
import { bytesOf, codeOf, MIB, read, streamOf } from "./fixture.ts";
import { FaultyProxy } from "./proxy.ts";
import { type Bucket, makeBucket, s3Servers } from "./servers.ts";

const DOMAIN = "s3.test";

describe.each(s3Servers())("the bucket before the host, at $name", (server) => {
  let bucket: Bucket;
  beforeAll(async () => {
    bucket = await makeBucket(server);
  });
  afterAll(async () => await bucket?.remove());

  it("is in no path, and all works where the server knows its own name", async () => {
    const { lookup } = dns;
    const local = ((host: string, ...rest: [never, never]) =>
      lookup(host.endsWith(`.${DOMAIN}`) ? "127.0.0.1" : host, ...rest)) as typeof lookup;
    vi.spyOn(dns, "lookup").mockImplementation(local);
    onTestFinished(() => void vi.restoreAllMocks());
    const proxy = await FaultyProxy.start(server.endpoint);
    onTestFinished(() => proxy.close());
    const { port } = new URL(proxy.endpoint);
    const endpoint = `http://${DOMAIN}:${port}`;
    const options = { endpoint, addressing: "virtual-host", prefix: "p", partSizeBytes: 5 * MIB } as const;
    const store = s3ObjectStore(bucket.options(options));
    onTestFinished(() => store.close());
    const call = store.put("small", streamOf("small"));
    const outcome = await call.then(
      () => "stored",
      () => codeOf(call),
    );
    expect(proxy.seen[0]).toMatchObject({
      method: "PUT",
      url: "/p/small%21",
      headers: { host: `${bucket.name}.${DOMAIN}:${port}` },
    });
    // One that was not told its name takes what stands in the path for a bucket.
    expect(outcome).toMatch(/^(stored|INVALID_OPTIONS bucket)$/);
    if (outcome !== "stored") return;
    const large = bytesOf(6 * MIB);
    await store.put("large", streamOf(large));
    expect((await read(store, "large")).equals(large)).toBe(true);
    expect((await store.list("")).items.map(({ key }) => key)).toEqual(["large", "small"]);
    expect((await store.stat("small"))?.sizeBytes).toBe(5);
    const address = await store.presign("small", 60_000);
    expect(address).toContain(`http://${bucket.name}.${DOMAIN}:${port}/p/small%21?`);
    await store.delete(["large", "small"]);
    expect(await store.stat("small")).toBeUndefined();
  });
});
