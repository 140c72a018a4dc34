import { GatewayError, type ObjectStore } from "@modelgate/core";
import { S3Connection } from "./connection.ts";
import { deleteObjects } from "./delete-objects.ts";
import { getObject } from "./get-object.ts";
import { listObjects } from "./list-objects.ts";
import { nameOf } from "./object-name.ts";
import { Operation } from "./operation.ts";
import { checkOptions, type S3ObjectStoreOptions } from "./options.ts";
import { putObject } from "./put-object.ts";
import { type Purpose, toStoreError } from "./s3-error.ts";
import { statObject } from "./stat-object.ts";

/** S3's own bound. */
const LONGEST_PRESIGN_MS = 7 * 24 * 3_600_000;

/**
 * Objects in a bucket of an S3 server. Connects at the first call; any number of processes may share the bucket. Closing
 * ends what is being written or read with `CLOSED`. Throws `INVALID_OPTIONS`.
 */
export function s3ObjectStore(options: S3ObjectStoreOptions): ObjectStore {
  const settings = checkOptions(options);
  const { prefix } = settings;
  const connection = new S3Connection(settings);
  const underWay = new Set<Operation>();
  const clearings = new Set<Promise<void>>();
  let closing: Promise<void> | undefined;

  const requireOpen = (): void => {
    if (closing !== undefined) throw closed();
  };
  const begin = (signal: AbortSignal | undefined): Operation => {
    signal?.throwIfAborted();
    return new Operation(underWay, signal);
  };
  const run = async <T>(
    signal: AbortSignal | undefined,
    purpose: Purpose,
    work: (operation: Operation) => Promise<T>,
  ): Promise<T> => {
    const operation = begin(signal);
    try {
      return await work(operation);
    } catch (error) {
      // What it was ended with is the caller's own.
      operation.throwIfEnded();
      throw toStoreError(error, purpose);
    } finally {
      operation.finish();
    }
  };
  const onClearing = (clearing: Promise<void>): void => {
    clearings.add(clearing);
    void clearing.finally(() => clearings.delete(clearing));
  };
  const shutDown = async (): Promise<void> => {
    const open = [...underWay];
    for (const operation of open) operation.end(closed());
    await Promise.all(open.map(({ over }) => over));
    await Promise.all(clearings);
    await connection.close();
  };

  return {
    capabilities: { durable: true, shared: true, presign: true },
    async put(key, body, { signal } = {}) {
      requireOpen();
      const name = nameOf(prefix, key);
      const operation = begin(signal);
      try {
        return { key, ...(await putObject(body, { connection, name, operation, onClearing })) };
      } finally {
        operation.finish();
      }
    },
    async get(key, { signal, range } = {}) {
      requireOpen();
      const name = nameOf(prefix, key);
      const operation = begin(signal);
      try {
        const found = await getObject(connection, name, range, operation);
        operation.throwIfEnded();
        // Its body goes on with the operation.
        if (found !== undefined) return { key, ...found };
      } catch (error) {
        operation.finish();
        operation.throwIfEnded();
        throw toStoreError(error, "read");
      }
      operation.finish();
      return undefined;
    },
    async stat(key, { signal } = {}) {
      requireOpen();
      const name = nameOf(prefix, key);
      const found = await run(signal, "read", (operation) => statObject(connection, name, operation));
      return found && { key, ...found };
    },
    async delete(keys, { signal } = {}) {
      requireOpen();
      const names = keys.map((key) => nameOf(prefix, key));
      await run(signal, "write", (operation) => deleteObjects(connection, names, operation));
    },
    async list(start, cursor, { signal } = {}) {
      requireOpen();
      return await run(signal, "read", (operation) => listObjects(connection, start, cursor, operation));
    },
    async presign(key, expiresInMs, { signal } = {}) {
      requireOpen();
      const name = nameOf(prefix, key);
      if (!(expiresInMs >= 1000 && expiresInMs <= LONGEST_PRESIGN_MS)) {
        throw new GatewayError(
          "INVALID_REQUEST",
          `expiresInMs is ${expiresInMs}; give a number from 1000 to ${LONGEST_PRESIGN_MS}, which is 7 days`,
          { details: { field: "expiresInMs" } },
        );
      }
      const seconds = Math.floor(expiresInMs / 1000);
      return await run(signal, "read", (operation) => connection.presign(name, seconds, operation));
    },
    async close() {
      closing ??= shutDown();
      await closing;
    },
  };
}

function closed(): GatewayError {
  return new GatewayError("CLOSED", "the S3 object store is closed");
}
