import { type Closable, GatewayError, type ObjectRead, type OperationOptions } from "@modelgate/core";
import { S3Connection } from "./connection.ts";
import { getObject } from "./get-object.ts";
import { Operation } from "./operation.ts";
import { checkOptions, type S3ObjectStoreOptions } from "./options.ts";
import { toStoreError } from "./s3-error.ts";

/** A bucket that belongs to another system, by the names that its objects have there. It is only read. */
export interface ForeignBucket extends Closable {
  /** The object, or `undefined`. Read its body to the end or `return()` it; either frees what it holds. */
  get(name: string, options?: OperationOptions): Promise<Omit<ObjectRead, "key"> | undefined>;
}

/** Throws `INVALID_OPTIONS`. */
export function readForeignBucket(options: Omit<S3ObjectStoreOptions, "prefix">): ForeignBucket {
  const connection = new S3Connection(checkOptions(options));
  const underWay = new Set<Operation>();
  return {
    async get(name, { signal } = {}) {
      const operation = new Operation(underWay, signal);
      try {
        const found = await getObject(connection, name, undefined, operation);
        // Its body goes on with the operation.
        if (found !== undefined) return found;
      } catch (error) {
        operation.finish();
        operation.throwIfEnded();
        throw toStoreError(error, "read");
      }
      operation.finish();
      return undefined;
    },
    async close() {
      const closed = new GatewayError("CLOSED", "the bucket is closed");
      const open = [...underWay];
      for (const operation of open) operation.end(closed);
      await Promise.all(open.map(({ over }) => over));
      await connection.close();
    },
  };
}
