import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { inspectS3 } from "../../src/s3/index.ts";
import { bytesOf, codeOf, MIB, open, read, streamOf } from "./fixture.ts";
import { type Bucket, makeBucket, s3Servers } from "./servers.ts";

describe.each(s3Servers())("encryption by $name", (server) => {
  let bucket: Bucket;
  beforeAll(async () => {
    bucket = await makeBucket(server);
  });
  afterAll(async () => await bucket?.remove());

  it.each([
    [{ kind: "s3" }, { "x-amz-server-side-encryption": "AES256" }],
    [
      { kind: "kms", keyId: "no-such-key" },
      {
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id": "no-such-key",
      },
    ],
  ] as const)(
    "is asked for with each object, and its refusal names the option: %j",
    async (encryption, wanted) => {
      const { store, proxy, options } = await open(bucket, { encryption });
      const large = bytesOf(6 * MIB);
      const outcomes: string[] = [];
      for (const [key, bytes] of [
        ["small", Buffer.from("small")],
        ["large", large],
      ] as const) {
        const call = store.put(key, streamOf(bytes));
        outcomes.push(
          await call.then(
            () => "stored",
            () => codeOf(call),
          ),
        );
      }
      const begun = proxy.seen.filter(({ method, url }) => method === "PUT" || url.endsWith("?uploads"));
      expect(begun.slice(0, 2)).toMatchObject([{ headers: wanted }, { headers: wanted }]);
      const [outcome] = outcomes;
      expect(outcomes).toEqual([outcome, outcome]);
      const { canPut, canUploadParts, problems } = await inspectS3(options);
      if (outcome === "stored") {
        // A server that was given keys. It has none of that name.
        expect(encryption.kind).toBe("s3");
        for (const [key, bytes] of [
          ["small", Buffer.from("small")],
          ["large", large],
        ] as const) {
          expect((await read(store, key)).equals(bytes)).toBe(true);
          const { metaData } = await bucket.admin.statObject(bucket.name, `${options.prefix}/${key}!`);
          expect(metaData).toMatchObject({ "x-amz-server-side-encryption": "AES256" });
        }
        expect({ canPut, canUploadParts, problems }).toEqual({
          canPut: true,
          canUploadParts: true,
          problems: [],
        });
        return;
      }
      expect(outcome).toBe("INVALID_OPTIONS encryption");
      expect(await bucket.uploads()).toEqual([]);
      expect({ canPut, canUploadParts }).toEqual({ canPut: false, canUploadParts: false });
      expect(problems[0]).toMatchObject({ code: "INVALID_OPTIONS", field: "encryption" });
    },
  );
});
