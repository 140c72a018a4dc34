import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { inspectS3 } from "../../src/s3/index.ts";
import { MIB, open } from "./fixture.ts";
import { type Bucket, makeBucket, s3Servers } from "./servers.ts";

const UNKNOWN = {
  canList: undefined,
  canPut: undefined,
  canGet: undefined,
  canDelete: undefined,
  canUploadParts: undefined,
  versioning: undefined,
};

describe.each(s3Servers())("an inspection of $name", (server) => {
  let bucket: Bucket;
  beforeAll(async () => {
    bucket = await makeBucket(server);
  });
  afterAll(async () => await bucket?.remove());

  it("finds all in order, and leaves nothing behind", async () => {
    const found = await inspectS3(bucket.options());
    expect(found).toMatchObject({
      isReached: true,
      areKeysAccepted: true,
      isBucketThere: true,
      canList: true,
      canPut: true,
      canGet: true,
      canDelete: true,
      canUploadParts: true,
      versioning: "off",
      problems: [],
    });
    expect(Math.abs(found.clockDifferenceMs ?? Number.NaN)).toBeLessThan(2000);
    expect(found.answerMs).toBeGreaterThan(0);
    expect(await bucket.names()).toEqual([]);
    expect(await bucket.uploads()).toEqual([]);
  });

  it.each([
    ["the access key", { accessKey: "nobody" }, "accessKey", { areKeysAccepted: false }],
    ["the secret key", { secretKey: "wrong" }, "secretKey", { areKeysAccepted: false }],
    [
      "the bucket",
      { bucket: "test-is-not-there" },
      "bucket",
      { areKeysAccepted: true, isBucketThere: false },
    ],
  ])("finds out that %s is wrong", async (_, wrong, field, expected) => {
    const found = await inspectS3(bucket.options(wrong));
    expect(found).toMatchObject({ ...UNKNOWN, isReached: true, canList: false, ...expected });
    expect(found.problems).toMatchObject([{ step: "list", code: "INVALID_OPTIONS", field }]);
    expect(Math.abs(found.clockDifferenceMs ?? Number.NaN)).toBeLessThan(2000);
    expect(JSON.stringify(found)).not.toContain(server.secretKey);
  });

  it("finds out that the server is away, and which options are none", async () => {
    const away = await inspectS3(bucket.options({ endpoint: "http://127.0.0.1:1" }));
    expect(away).toMatchObject({ isReached: false, areKeysAccepted: undefined });
    expect(away.problems).toMatchObject([{ step: "list", code: "STORE_UNAVAILABLE" }]);
    const wrong = await inspectS3(bucket.options({ partSizeBytes: MIB }));
    expect(wrong.problems).toMatchObject([
      { step: "options", code: "INVALID_OPTIONS", field: "partSizeBytes" },
    ]);
  });

  it("finds each right that is missing", async () => {
    const refusal = { act: "refuse", status: 403, code: "AccessDenied" } as const;
    for (const [step, request, missing] of [
      ["put", /^PUT/, { canPut: false, canGet: undefined, canDelete: undefined }],
      ["get", /^GET .*probe/, { canGet: false }],
      ["parts", /^POST .*uploads/, { canUploadParts: false }],
      ["delete", /^DELETE .*%21$/, { canDelete: false }],
      ["versioning", /^GET .*versioning/, { versioning: undefined }],
    ] as const) {
      const { proxy, options } = await open(bucket);
      proxy.fail(request, refusal);
      const found = await inspectS3(options);
      expect(found).toMatchObject({ isReached: true, areKeysAccepted: true, canList: true, ...missing });
      expect(found.problems.map((problem) => problem.step)).toEqual([step]);
    }
    const { proxy, options } = await open(bucket);
    proxy.fail(/^GET .*list-type/, refusal);
    const found = await inspectS3(options);
    expect(found).toMatchObject({ areKeysAccepted: true, isBucketThere: true, canList: false, canPut: true });
  });

  it("tells how far the clocks are apart, also when that is why nothing works", async () => {
    for (const shiftMs of [20 * 60_000, -20 * 60_000]) {
      const { proxy, options } = await open(bucket);
      proxy.shiftMs = shiftMs;
      expect(Math.abs(((await inspectS3(options)).clockDifferenceMs ?? 0) - shiftMs)).toBeLessThan(2000);
      proxy.fail(/./, { act: "refuse", status: 403, code: "RequestTimeTooSkewed" }, 100);
      const found = await inspectS3(options);
      expect(Math.abs((found.clockDifferenceMs ?? 0) - shiftMs)).toBeLessThan(2000);
      expect(found.problems[0]?.message).toContain("clocks");
    }
  });

  it.each(["Enabled", "Suspended"] as const)(
    "tells that versions are kept, and leaves none: %s",
    async (status) => {
      const versioned = await makeBucket(server);
      await versioned.admin.setBucketVersioning(versioned.name, { Status: status });
      expect((await inspectS3(versioned.options())).versioning).toBe(status.toLowerCase());
      // A bucket that holds a version cannot be removed.
      await versioned.remove();
    },
  );
});
