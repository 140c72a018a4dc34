import { inspect } from "node:util";
import { type ByteStream, GatewayError, type ObjectStore } from "@modelgate/core";
import { onTestFinished } from "vitest";
import { type S3ObjectStoreOptions, s3ObjectStore } from "../../src/s3/index.ts";
import { FaultyProxy } from "./proxy.ts";
import type { Bucket } from "./servers.ts";

export const MIB: number = 1024 * 1024;

/** Whatever waits for a server in these tests waits for no more than this. */
const PATIENCE_MS = 10_000;

export interface Opened {
  readonly store: ObjectStore;
  readonly proxy: FaultyProxy;
  readonly options: S3ObjectStoreOptions;
}

/** A store in a prefix of its own, with a proxy before its server. Small parts, so that little has to be sent. */
export async function open(bucket: Bucket, more: Partial<S3ObjectStoreOptions> = {}): Promise<Opened> {
  const proxy = await FaultyProxy.start(bucket.server.endpoint);
  onTestFinished(() => proxy.close());
  const options = bucket.options({ endpoint: proxy.endpoint, partSizeBytes: 5 * MIB, ...more });
  const store = s3ObjectStore(options);
  onTestFinished(() => store.close());
  return { store, proxy, options };
}

/** Bytes without a visible order, the same for the same seed. */
export function bytesOf(sizeBytes: number, seed: number = 1): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  let state = seed;
  for (let at = 0; at + 4 <= sizeBytes; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes.writeInt32LE(state, at);
  }
  return bytes;
}

export async function* streamOf(bytes: Uint8Array | string): ByteStream {
  const all = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
  for (let at = 0; at < all.byteLength; at += 65_536) yield all.subarray(at, at + 65_536);
}

/** These bytes, and then nothing, not even an end. */
export async function* stalled(bytes: Uint8Array): ByteStream {
  yield* streamOf(bytes);
  await new Promise(() => {});
}

export async function readAll(body: ByteStream | undefined): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body ?? []) pieces.push(piece);
  return Buffer.concat(pieces);
}

export async function read(store: ObjectStore, key: string): Promise<Buffer> {
  return await readAll((await store.get(key))?.body);
}

/** The error of a call; fails when there is none. */
export async function errorOf(call: Promise<unknown>): Promise<unknown> {
  let error: unknown;
  try {
    await call;
  } catch (thrown) {
    error = thrown;
  }
  if (error === undefined) throw new Error("it did not reject");
  return error;
}

/** Code and, where there is one, field or reason. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  const error = await errorOf(call);
  if (!GatewayError.is(error)) return String(error);
  const { field, reason } = error.details;
  return [error.code, field ?? reason ?? ""].join(" ").trim();
}

/** All that anybody could print of it. */
export function printed(error: unknown): string {
  return inspect(error, { depth: 10, showHidden: true });
}

export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const untilMs = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (Date.now() > untilMs) throw new Error(`${what}: it is not so after ${PATIENCE_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
