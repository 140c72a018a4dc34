import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type S3ObjectStoreOptions, sweepS3Uploads } from "../../src/s3/index.ts";
import { bytesOf, codeOf, MIB, open, read, stalled, streamOf, until } from "./fixture.ts";
import type { FaultyProxy } from "./proxy.ts";
import { type Bucket, makeBucket, type S3Server, s3Servers } from "./servers.ts";

const HOUR_MS = 3_600_000;
const COUNTS = { examined: 0, young: 0, foreign: 0, leftOver: 0, ended: 0 };

/** A bucket with an upload of ours that nobody goes on with, and one that is somebody else's. */
async function withUploads(
  bucket: Bucket,
): Promise<{ readonly options: S3ObjectStoreOptions; readonly proxy: FaultyProxy }> {
  const { proxy, options } = await open(bucket, { prefix: "" });
  const part = bytesOf(MIB);
  for (const name of ["results/t/1!", "somebody-elses"]) {
    const uploadId = await bucket.admin.initiateNewMultipartUpload(bucket.name, name, {});
    const headers = { "content-length": part.length };
    await bucket.admin.uploadPart(
      { bucketName: bucket.name, objectName: name, uploadID: uploadId, partNumber: 1, headers },
      part,
    );
  }
  return { options, proxy };
}

describe.each(s3Servers())("a sweep of uploads on $name", (server: S3Server) => {
  let bucket: Bucket;
  beforeAll(async () => {
    bucket = await makeBucket(server);
  });
  afterAll(async () => await bucket?.remove());

  it("ends what nobody goes on with, by the server's clock, and nothing else", async () => {
    const { options, proxy } = await withUploads(bucket);
    expect(await sweepS3Uploads(options)).toEqual({ ...COUNTS, examined: 2, foreign: 1, young: 1 });
    proxy.shiftMs = 24.5 * HOUR_MS;
    const found = { ...COUNTS, examined: 2, foreign: 1, leftOver: 1 };
    expect(await sweepS3Uploads(options, { dryRun: true })).toEqual(found);
    expect(await bucket.uploads()).toHaveLength(2);
    expect(await sweepS3Uploads(options)).toEqual({ ...found, ended: 1 });
    expect(await bucket.uploads()).toEqual(["somebody-elses"]);
    expect(await sweepS3Uploads(options, { minAgeMs: HOUR_MS })).toEqual({
      ...COUNTS,
      examined: 1,
      foreign: 1,
    });
  });

  it("leaves an upload alone whose last part came lately, however long ago it began", async () => {
    const { proxy, options } = await open(bucket, { prefix: "" });
    const name = "results/slow/1!";
    const uploadId = await bucket.admin.initiateNewMultipartUpload(bucket.name, name, {});
    // As if it had begun two hours before its part came.
    proxy.onAnswer = (text) => {
      const earlier = (_: string, at: string): string =>
        `<Initiated>${new Date(Date.parse(at) - 2 * HOUR_MS).toISOString()}</Initiated>`;
      return text.replace(/<Initiated>([^<]*)<\/Initiated>/g, earlier);
    };
    const before = await sweepS3Uploads(options, { minAgeMs: HOUR_MS, dryRun: true });
    expect(before.leftOver).toBe(1);
    const part = bytesOf(MIB);
    const headers = { "content-length": part.length };
    await bucket.admin.uploadPart(
      { bucketName: bucket.name, objectName: name, uploadID: uploadId, partNumber: 1, headers },
      part,
    );
    const after = await sweepS3Uploads(options, { minAgeMs: HOUR_MS });
    expect(after).toMatchObject({ leftOver: 0, young: 1 });
    await bucket.admin.abortMultipartUpload(bucket.name, name, uploadId);
  });

  it("makes an upload that goes on after all fail, and leaves nothing of it", async () => {
    const { store, proxy, options } = await open(bucket, { prefix: "" });
    const ended = sweepWhenBegun();
    const body = async function* (): AsyncGenerator<Uint8Array> {
      yield* streamOf(bytesOf(6 * MIB));
      await ended;
      yield* streamOf(bytesOf(6 * MIB));
    };
    expect(await codeOf(store.put("payloads/slow/0", body()))).toBe("STORE_UNAVAILABLE NoSuchUpload");
    expect(await read(store, "payloads/slow/0")).toHaveLength(0);

    async function sweepWhenBegun(): Promise<void> {
      await until("an upload was begun", async () => (await bucket.uploads()).includes("payloads/slow/0!"));
      proxy.shiftMs = 25 * HOUR_MS;
      expect((await sweepS3Uploads(options)).ended).toBe(1);
    }
  });

  it("can be stopped, and says what it cannot do", async () => {
    const { proxy, options } = await open(bucket, { prefix: "", retries: 0 });
    const controller = new AbortController();
    const reason = new Error("enough");
    proxy.fail(/uploads/, { act: "stall" });
    const sweeping = sweepS3Uploads(options, { signal: controller.signal });
    await until("it asks", () => proxy.seen.length === 1);
    controller.abort(reason);
    await expect(sweeping).rejects.toBe(reason);
    expect(await codeOf(sweepS3Uploads({ ...options, secretKey: "wrong" }))).toBe(
      "INVALID_OPTIONS secretKey",
    );
    expect(await codeOf(sweepS3Uploads(options, { minAgeMs: 1 }))).toBe("INVALID_OPTIONS minAgeMs");
  });

  it("finds an upload that a process left behind when it was killed", async () => {
    const { store, proxy, options } = await open(bucket, { prefix: "" });
    const controller = new AbortController();
    const putting = store.put("payloads/killed/0", stalled(bytesOf(6 * MIB)), { signal: controller.signal });
    await until("a part is there", () => proxy.requests(/partNumber=1/).length === 1);
    // As of a process that is no more, nothing gets through to the server.
    proxy.fail(/^DELETE/, { act: "refuse", status: 403, code: "AccessDenied" }, 100);
    controller.abort(new Error("killed"));
    await putting.catch(() => {});
    await store.close();
    const direct = { ...options, endpoint: server.endpoint };
    expect((await sweepS3Uploads(direct)).young).toBe(1);
  });
});
