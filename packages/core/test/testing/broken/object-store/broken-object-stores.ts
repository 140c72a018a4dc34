import type { ByteStream } from "../../../../src/contracts/common.ts";
import type { ObjectStat, ObjectStore } from "../../../../src/contracts/object-store.ts";
import { GatewayError } from "../../../../src/errors.ts";
import { memoryObjectStore } from "../../../../src/memory/object-store.ts";
import type { ObjectStoreFixture } from "../../../../src/testing/object-store-kit/fixture.ts";
import { openWithAddresses } from "../../object-store-with-addresses.ts";
import type { PlantedFault } from "../lifecycle/failing-tests.ts";

type Change = (good: ObjectStore) => Partial<ObjectStore>;

function planted(fault: string, breaks: string, change: Change): PlantedFault<ObjectStoreFixture> {
  return {
    fault,
    breaks,
    open() {
      const good = memoryObjectStore();
      return { objects: { ...good, ...change(good) }, close: () => good.close() };
    },
  };
}

export const OBJECT_STORE_FAULTS: readonly PlantedFault<ObjectStoreFixture>[] = [
  planted(
    "keeps what had come of a body that broke off",
    "a body that throws leaves no object, and put rejects with what it threw",
    (good) => ({
      async put(key, body, options) {
        const pieces: Uint8Array[] = [];
        let hasThrown = false;
        const noted = mapped(body, async (next) => {
          const step = await next().catch((error: unknown) => {
            hasThrown = true;
            throw error;
          });
          if (step.done !== true) pieces.push(step.value.slice());
          return step;
        });
        try {
          return await good.put(key, noted, options);
        } catch (error) {
          if (hasThrown && (await good.stat(key)) === undefined) await good.put(key, streamOf(pieces));
          throw error;
        }
      },
    }),
  ),
  planted(
    "reads one piece ahead of the one that it stores",
    "a source may use its buffer again for the next piece",
    (good) => ({
      put(key, body, options) {
        let ahead: IteratorResult<Uint8Array> | undefined;
        const hasty = mapped(body, async (next) => {
          const step = ahead ?? (await next());
          if (step.done !== true) ahead = await next();
          return step;
        });
        return good.put(key, hasty, options);
      },
    }),
  ),
  planted(
    "shows an object as soon as its first byte is on its way",
    "nothing of a body is to be seen before all of it is there",
    (good) => ({
      async put(key, body, options) {
        options?.signal?.throwIfAborted();
        const isNew = (await good.stat(key)) === undefined;
        if (isNew) await good.put(key, streamOf([]));
        try {
          return await good.put(key, body, options);
        } catch (error) {
          if (isNew) await good.delete([key]);
          throw error;
        }
      },
    }),
  ),
  planted(
    "takes a range that ends beyond the object for a wrong one",
    "a range may end beyond the last byte, and is cut there",
    (good) => ({
      async get(key, options) {
        const sizeBytes = (await good.stat(key, options))?.sizeBytes ?? 0;
        if (sizeBytes > 0 && (options?.range?.end ?? 0) >= sizeBytes) throw refused();
        return await good.get(key, options);
      },
    }),
  ),
  planted(
    "tells the size of the range instead of the object's",
    "who reads a range is told the size of the whole object",
    (good) => ({
      async get(key, options) {
        const found = await good.get(key, options);
        const { start, end } = options?.range ?? {};
        if (found === undefined || start === undefined || end === undefined) return found;
        return { ...found, sizeBytes: end - start + 1 };
      },
    }),
  ),
  planted(
    "loses a reader's place when the object is deleted",
    "a reader that has begun reads to its end although the object is deleted",
    (good) => ({
      async get(key, options) {
        const found = await good.get(key, options);
        if (found === undefined) return undefined;
        const body = mapped(found.body, async (next) => {
          const step = await next();
          if ((await good.stat(key)) === undefined) throw new GatewayError("STORE_UNAVAILABLE", "it is gone");
          return step;
        });
        return { ...found, body };
      },
    }),
  ),
  planted(
    "hands out one buffer for all pieces",
    "a piece that was read stays as it is while the next ones are read",
    (good) => ({
      async get(key, options) {
        const found = await good.get(key, options);
        const own = new Uint8Array(65_536);
        return (
          found && {
            ...found,
            body: mapped(found.body, async (next) => {
              const step = await next();
              if (step.done === true) return step;
              own.set(step.value);
              return { done: false, value: own.subarray(0, step.value.byteLength) };
            }),
          }
        );
      },
    }),
  ),
  planted(
    "loads an object whole before its first piece is read",
    "a body is read at its reader's pace: while the reader pauses, a part of it is held",
    (good) => ({
      async get(key, options) {
        const found = await good.get(key, options);
        if (found === undefined) return undefined;
        const pieces: Uint8Array[] = [];
        for await (const piece of found.body) pieces.push(piece);
        const body = mapped(streamOf(pieces), async (next) => {
          options?.signal?.throwIfAborted();
          return await next();
        });
        return { ...found, body };
      },
    }),
  ),
  planted(
    "makes one key of different spellings of a path",
    "what is no key is refused with INVALID_REQUEST by every method, and touches nothing",
    (good) => ({
      stat: (key, options) => good.stat(key.replace(/[^/]+\/\.\.\//, ""), options),
    }),
  ),
  planted("deletes a thousand keys and no more", "delete takes thousands of keys at once", (good) => ({
    delete: (keys, options) => good.delete(keys.slice(0, 1000), options),
  })),
  planted("lists folder by folder", "list gives objects in the order of their keys' characters", (good) => ({
    async list(prefix, cursor, options) {
      const page = await good.list(prefix, cursor, options);
      const path = (key: string): string => key.replaceAll("/", "\u0001");
      const items = page.items.toSorted((a, b) => (path(a.key) < path(b.key) ? -1 : 1));
      return { ...page, items };
    },
  })),
  planted(
    "counts the objects that it has listed and skips as many",
    "page by page, thousands of objects come in order and once each, while others come and go",
    (good) => ({
      async list(prefix, cursor, options) {
        const all: ObjectStat[] = [];
        for (let page = await good.list(prefix, undefined, options); ; ) {
          all.push(...page.items);
          if (page.nextCursor === undefined) break;
          page = await good.list(prefix, page.nextCursor, options);
        }
        const skip = Number(cursor ?? 0);
        const next = skip + 1000 < all.length ? String(skip + 1000) : undefined;
        return { items: all.slice(skip, skip + 1000), nextCursor: next };
      },
    }),
  ),
  planted(
    "puts an error of its own in the place of the caller's reason",
    "an abort ends a put whose source has stalled, lets the source go and leaves nothing",
    (good) => ({
      async put(key, body, options) {
        options?.signal?.throwIfAborted();
        try {
          return await good.put(key, body, options);
        } catch (error) {
          throw options?.signal?.aborted === true ? new Error("aborted") : error;
        }
      },
    }),
  ),
  planted(
    "keeps a listener on the caller's signal",
    "a call that is over has left no listener on the caller's signal",
    (good) => ({
      stat(key, options) {
        options?.signal?.addEventListener("abort", () => {});
        return good.stat(key, options);
      },
    }),
  ),
  planted(
    "makes up an address that it does not claim",
    "presign rejects with UNSUPPORTED where it is not claimed",
    (good) => ({
      presign: (key, expiresInMs) =>
        good.presign(key, expiresInMs).catch((error: unknown) => {
          if (GatewayError.is(error, "UNSUPPORTED")) return `https://objects.example/${key}`;
          throw error;
        }),
    }),
  ),
  planted("answers after it was closed", "after close, every method rejects with CLOSED", (good) => ({
    get: (key, options) =>
      good.get(key, options).catch((error: unknown) => {
        if (GatewayError.is(error, "CLOSED")) return undefined;
        throw error;
      }),
  })),
  {
    fault: "gives out addresses that never expire",
    breaks: "presign gives an address that anybody may read until it expires",
    open: () => openWithAddresses(() => true),
  },
  {
    fault: "remembers what another client has since replaced",
    breaks: "clients of one backend see what each of them puts, replaces and deletes",
    open() {
      const backend = memoryObjectStore();
      const objects = clientOf(backend);
      const seen = new Map<string, Uint8Array>();
      const forgetful: ObjectStore = {
        ...objects,
        async get(key, options) {
          const found = await objects.get(key, options);
          if (found === undefined || found.sizeBytes > 100 || options?.range !== undefined) return found;
          const bytes = seen.get(key);
          if (bytes !== undefined) return { ...found, body: streamOf([bytes]) };
          const pieces: Uint8Array[] = [];
          for await (const piece of found.body) pieces.push(piece);
          seen.set(key, Buffer.concat(pieces));
          return { ...found, body: streamOf(pieces) };
        },
        async put(key, body, options) {
          seen.delete(key);
          return await objects.put(key, body, options);
        },
      };
      return { objects: forgetful, another: async () => clientOf(backend), close: () => backend.close() };
    },
  },
];

/** One of several clients: closing it closes no other. */
function clientOf(backend: ObjectStore): ObjectStore {
  let isClosed = false;
  const whileOpen =
    <A extends unknown[], R>(method: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      if (isClosed) throw new GatewayError("CLOSED", "the client is closed");
      return await method(...args);
    };
  return {
    capabilities: { durable: false, shared: true, presign: false },
    put: whileOpen(backend.put),
    get: whileOpen(backend.get),
    stat: whileOpen(backend.stat),
    delete: whileOpen(backend.delete),
    list: whileOpen(backend.list),
    presign: whileOpen(backend.presign),
    async close() {
      isClosed = true;
    },
  };
}

/** The same body, with each step taken by `step`. */
function mapped(
  body: ByteStream,
  step: (next: () => Promise<IteratorResult<Uint8Array>>) => Promise<IteratorResult<Uint8Array>>,
): ByteStream {
  const iterator = body[Symbol.asyncIterator]();
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => step(() => iterator.next()),
      return: async () => (await iterator.return?.()) ?? { done: true, value: undefined },
    }),
  };
}

async function* streamOf(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}

function refused(): GatewayError {
  return new GatewayError("INVALID_REQUEST", "the range ends beyond the object");
}
