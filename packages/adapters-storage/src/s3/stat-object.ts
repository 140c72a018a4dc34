import type { ObjectStat } from "@modelgate/core";
import type { S3Connection } from "./connection.ts";
import { timeOf } from "./get-object.ts";
import { smallestList } from "./list-objects.ts";
import type { Operation } from "./operation.ts";
import { mayPass, S3Refusal } from "./s3-error.ts";

export async function statObject(
  connection: S3Connection,
  name: string,
  operation: Operation,
): Promise<Omit<ObjectStat, "key"> | undefined> {
  try {
    const { headers } = await connection.call({ method: "HEAD", object: name }, operation);
    return {
      sizeBytes: Number(headers["content-length"]),
      modifiedAtMs: timeOf(headers["last-modified"]),
    };
  } catch (error) {
    if (!(error instanceof S3Refusal) || mayPass(error)) throw error;
    // An answer to HEAD has no body, so that a missing bucket looks like a missing object, and a wrong key like a
    // missing right. The bucket's own answer tells them apart.
    await connection.call({ method: "GET", query: smallestList(connection.settings) }, operation);
    if (error.status === 404) return undefined;
    throw error;
  }
}
