import type { OperationOptions } from "@modelgate/core";
import { S3Connection } from "./connection.ts";
import { smallestList } from "./list-objects.ts";
import { Operation } from "./operation.ts";
import { checkOptions, type S3ObjectStoreOptions } from "./options.ts";
import { S3Refusal, toStoreError } from "./s3-error.ts";

/** The region that needs no saying, and must not be said. */
const DEFAULT_REGION = "us-east-1";

/** Makes the bucket unless it is there; resolves whether it was made. Rejects as the store's own calls do. */
export async function makeS3Bucket(
  options: S3ObjectStoreOptions,
  { signal }: OperationOptions = {},
): Promise<boolean> {
  const connection = new S3Connection(checkOptions(options));
  const operation = new Operation(new Set(), signal);
  try {
    if (await isThere(connection, operation)) return false;
    const { region = DEFAULT_REGION } = options;
    const body = region === DEFAULT_REGION ? undefined : await connection.bodyOf(placeIn(region));
    await connection.call({ method: "PUT", body }, operation);
    return true;
  } catch (error) {
    operation.throwIfEnded();
    throw toStoreError(error, "write");
  } finally {
    operation.finish();
    await connection.close();
  }
}

async function isThere(connection: S3Connection, operation: Operation): Promise<boolean> {
  try {
    await connection.call({ method: "GET", query: smallestList(connection.settings) }, operation);
    return true;
  } catch (error) {
    if (error instanceof S3Refusal && error.code === "NoSuchBucket") return false;
    throw error;
  }
}

function placeIn(region: string): string {
  const xmlns = "http://s3.amazonaws.com/doc/2006-03-01/";
  return `<CreateBucketConfiguration xmlns="${xmlns}"><LocationConstraint>${region}</LocationConstraint></CreateBucketConfiguration>`;
}
