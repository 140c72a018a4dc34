import { describe, expect, it } from "vitest";
import { inspectS3, makeS3Bucket } from "../../src/s3/index.ts";
import { makeBucket, s3Servers } from "./servers.ts";

describe.each(s3Servers())("a bucket of $name", (server) => {
  it("is made once, and left alone where it is there", async () => {
    const there = await makeBucket(server);
    try {
      expect(await makeS3Bucket(there.options())).toBe(false);
      const bucket = `${there.options().bucket}-new`;
      const missing = { ...there.options(), bucket };
      expect(await inspectS3(missing)).toMatchObject({ isBucketThere: false });
      expect(await makeS3Bucket(missing)).toBe(true);
      expect(await inspectS3(missing)).toMatchObject({ isBucketThere: true, problems: [] });
      expect(await makeS3Bucket(missing)).toBe(false);
    } finally {
      await there.remove();
    }
  });

  it("is not made with a wrong secret", async () => {
    const there = await makeBucket(server);
    try {
      const wrong = { ...there.options(), bucket: `${there.options().bucket}-other`, secretKey: "wrong" };
      await expect(makeS3Bucket(wrong)).rejects.toMatchObject({ details: { field: "secretKey" } });
    } finally {
      await there.remove();
    }
  });
});
