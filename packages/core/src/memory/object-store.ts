import { systemClock } from "../clock.ts";
import type { Clock } from "../contracts/clock.ts";
import type { ByteStream } from "../contracts/common.ts";
import type { ByteRange, ObjectStat, ObjectStore } from "../contracts/object-store.ts";
import { GatewayError } from "../errors.ts";
import { openness } from "../openness.ts";
import { collectBytes } from "./collect-bytes.ts";
import { pageOfKeys } from "./page-of-keys.ts";

export interface MemoryObjectStoreOptions {
  /** Default: the host's time. */
  readonly clock?: Clock | undefined;
  /** Bytes of all objects; beyond it `put` rejects `STORE_FULL`. Default: no bound. */
  readonly maxBytes?: number | undefined;
}

const KEY = /^(?!\.{1,2}(?:\/|$))[A-Za-z0-9_.-]+(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9_.-]+)*$/;
const PIECE_BYTES = 65_536;

interface StoredObject {
  readonly bytes: Uint8Array;
  readonly modifiedAtMs: number;
}

/** Payloads and results in memory; nothing durable. */
export function memoryObjectStore(options: MemoryObjectStoreOptions = {}): ObjectStore {
  const { clock = systemClock, maxBytes = Number.POSITIVE_INFINITY } = options;
  const objects = new Map<string, StoredObject>();
  let storedBytes = 0;
  const guard = openness("memory object store", () => objects.clear());

  const remove = (key: string): void => {
    storedBytes -= objects.get(key)?.bytes.byteLength ?? 0;
    objects.delete(key);
  };
  const checkRoom = (sizeBytes: number, key: string): void => {
    if (storedBytes - (objects.get(key)?.bytes.byteLength ?? 0) + sizeBytes <= maxBytes) return;
    throw new GatewayError("STORE_FULL", `the memory object store is full (${maxBytes} bytes)`, {
      details: { maxBytes },
    });
  };

  return {
    capabilities: { durable: false, shared: false, presign: false },
    put: guard.wrap(async (key, body, { signal } = {}) => {
      checkKey(key);
      const bytes = await collectBytes(body, { signal, onPiece: (sizeBytes) => checkRoom(sizeBytes, key) });
      // Others may have stored something while this one was read.
      checkRoom(bytes.byteLength, key);
      remove(key);
      const stored = { bytes, modifiedAtMs: clock.now() };
      objects.set(key, stored);
      storedBytes += bytes.byteLength;
      return statOf(key, stored);
    }),
    get: guard.wrap(async (key, { range, signal } = {}) => {
      checkKey(key);
      const stored = objects.get(key);
      if (stored === undefined) return undefined;
      return { ...statOf(key, stored), body: inPieces(cut(stored.bytes, range), signal) };
    }),
    stat: guard.wrap(async (key) => {
      checkKey(key);
      const stored = objects.get(key);
      return stored === undefined ? undefined : statOf(key, stored);
    }),
    delete: guard.wrap(async (keys) => {
      for (const key of keys) checkKey(key);
      for (const key of keys) remove(key);
    }),
    list: guard.wrap(async (prefix, cursor) => {
      const page = pageOfKeys(objects.keys(), prefix, cursor);
      return { ...page, items: page.items.map((key) => statOf(key, objects.get(key) as StoredObject)) };
    }),
    presign: guard.wrap(async () => {
      throw new GatewayError("UNSUPPORTED", "the memory object store has no addresses");
    }),
    close: guard.close,
  };
}

function checkKey(key: string): void {
  if (key.length <= 512 && KEY.test(key)) return;
  throw new GatewayError(
    "INVALID_REQUEST",
    'key must be 1 to 512 characters of A-Z, a-z, 0-9, "_", ".", "/" and "-", without empty parts, "." or ".."',
    { details: { field: "key" } },
  );
}

function cut(bytes: Uint8Array, range: ByteRange | undefined): Uint8Array {
  if (range === undefined) return bytes;
  const { start, end = bytes.byteLength - 1 } = range;
  if (Number.isInteger(start) && start >= 0 && start < bytes.byteLength && end >= start) {
    return bytes.subarray(start, end + 1);
  }
  throw new GatewayError(
    "INVALID_REQUEST",
    `range must begin within the object's ${bytes.byteLength} bytes`,
    {
      details: { field: "range", sizeBytes: bytes.byteLength },
    },
  );
}

/** Copies, so that a reader cannot change what is stored. */
async function* inPieces(
  bytes: Uint8Array,
  signal: AbortSignal | undefined,
): ByteStream & AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += PIECE_BYTES) {
    signal?.throwIfAborted();
    yield bytes.slice(at, at + PIECE_BYTES);
  }
}

function statOf(key: string, { bytes, modifiedAtMs }: StoredObject): ObjectStat {
  return { key, sizeBytes: bytes.byteLength, modifiedAtMs };
}
