import { readFileSync } from "node:fs";
import { AssumeRoleProvider } from "minio/dist/esm/AssumeRoleProvider.mjs";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { inspectS3, type S3ObjectStoreOptions, s3ObjectStore, sweepS3Uploads } from "../../src/s3/index.ts";
import { bytesOf, codeOf, MIB, read, streamOf } from "./fixture.ts";
import { type Bucket, makeBucket, type S3Server, s3Servers } from "./servers.ts";

// Only MinIO gives out temporary keys with fewer rights without being set up for it.
const minio = s3Servers().find(({ name }) => name === "minio");

interface Policy {
  Statement: { Effect: string; Action: string[]; Resource: string }[];
}

/** As the page about it tells to set them. */
function documentedRights(): Policy {
  const page = readFileSync(new URL("../../../../docs/how-to/use-s3.md", import.meta.url), "utf8");
  return JSON.parse(/```json\n([^`]*)```/.exec(page)?.[1] ?? "") as Policy;
}

describe.skipIf(minio === undefined)("keys with few rights, on MinIO", () => {
  const server = minio as S3Server;
  let bucket: Bucket;
  beforeAll(async () => {
    bucket = await makeBucket(server);
  });
  afterAll(async () => await bucket?.remove());

  const optionsWith = async (policy: Policy): Promise<S3ObjectStoreOptions> => {
    const provider = new AssumeRoleProvider({
      stsEndpoint: server.endpoint,
      accessKey: server.accessKey,
      secretKey: server.secretKey,
      policy: JSON.stringify(policy).replaceAll("s3:::modelgate", `s3:::${bucket.name}`),
    });
    const keys = await provider.getCredentials();
    const [accessKey, secretKey, sessionToken] = [
      keys.getAccessKey(),
      keys.getSecretKey(),
      keys.getSessionToken(),
    ];
    return bucket.options({ accessKey, secretKey, sessionToken, partSizeBytes: 5 * MIB });
  };

  it("suffice when they are those that are documented", async () => {
    const options = await optionsWith(documentedRights());
    const store = s3ObjectStore(options);
    onTestFinished(() => store.close());
    const large = bytesOf(6 * MIB);
    await store.put("large", streamOf(large));
    await store.put("small", streamOf("small"));
    expect((await read(store, "large")).equals(large)).toBe(true);
    expect((await store.list("")).items).toHaveLength(2);
    expect(await store.stat("nothing")).toBeUndefined();
    expect(await store.get("nothing")).toBeUndefined();
    await store.delete(["large", "small"]);
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield* streamOf(large);
      throw new Error("enough");
    };
    await expect(store.put("large", failing())).rejects.toThrow("enough");
    expect(await bucket.uploads()).toEqual([]);
    expect(await sweepS3Uploads(options)).toMatchObject({ ended: 0 });
    const { problems, ...found } = await inspectS3(options);
    expect(found).toMatchObject({ canList: true, canPut: true, canGet: true, canDelete: true });
    expect(found).toMatchObject({ canUploadParts: true, versioning: undefined });
    expect(problems.map(({ step }) => step)).toEqual(["versioning"]);
  });

  it("are named when they do not", async () => {
    const policy = documentedRights();
    for (const statement of policy.Statement) {
      statement.Action = statement.Action.filter((action) => !/Put|Delete/.test(action));
    }
    const options = await optionsWith(policy);
    const store = s3ObjectStore(options);
    onTestFinished(() => store.close());
    expect(await codeOf(store.put("k", streamOf("x")))).toBe("STORE_READ_ONLY AccessDenied");
    expect(await codeOf(store.delete(["k"]))).toBe("STORE_READ_ONLY AccessDenied");
    expect(await store.get("k")).toBeUndefined();
    expect(await inspectS3(options)).toMatchObject({ areKeysAccepted: true, canList: true, canPut: false });
    const wrongToken = { ...options, sessionToken: "not-a-token" };
    expect((await inspectS3(wrongToken)).problems[0]?.field).toMatch(/^(sessionToken|accessKey)$/);
  });
});
