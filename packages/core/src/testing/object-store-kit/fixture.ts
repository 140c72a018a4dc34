import type { ByteStream } from "../../contracts/common.ts";
import type { ByteRange, ObjectStore } from "../../contracts/object-store.ts";
import { bodyOf, readAll } from "../checks/bytes.ts";
import type { KitFixture, KitTest } from "../kit/kit.ts";
import type { LifecycleParts } from "../lifecycle-kit/lifecycle-kit.ts";

/** An empty object store, and what else of its backend the kit may use. */
export interface ObjectStoreFixture extends KitFixture, LifecycleParts {
  readonly objects: ObjectStore;
  /** A further client of the same backend, as another process has it. Needed when `capabilities.shared`. */
  readonly another?: (() => Promise<ObjectStore>) | undefined;
  /** Closes `objects` and opens the same backend once more, as after a restart. Needed when `capabilities.durable`. */
  readonly reopen?: (() => Promise<ObjectStore>) | undefined;
  /** Another store, one with room for 100 KB at least and 10 MB at most. */
  readonly small?: (() => Promise<ObjectStore>) | undefined;
}

export type ObjectStoreTest = KitTest<ObjectStoreFixture>;

export async function put(
  objects: ObjectStore,
  key: string,
  ...pieces: (Uint8Array | string)[]
): Promise<void> {
  await objects.put(key, bodyOf(...pieces));
}

/** All bytes of an object or of a range of it; `undefined` when it is not there. */
export async function read(
  objects: ObjectStore,
  key: string,
  range?: ByteRange,
): Promise<Uint8Array | undefined> {
  const found = await objects.get(key, { range });
  return found === undefined ? undefined : await readAll(found.body, `reading ${key}`);
}

/** The same, as text. */
export async function readText(
  objects: ObjectStore,
  key: string,
  range?: ByteRange,
): Promise<string | undefined> {
  const bytes = await read(objects, key, range);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

/** Every key below `prefix`, page by page. */
export async function allKeys(objects: ObjectStore, prefix: string = ""): Promise<string[]> {
  const keys: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await objects.list(prefix, cursor);
    keys.push(...page.items.map(({ key }) => key));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return keys;
}

/** Reads one piece, and leaves the rest for later. */
export async function begin(
  body: ByteStream,
): Promise<{ readonly first: Uint8Array; readonly rest: AsyncIterator<Uint8Array> & ByteStream }> {
  const iterator = body[Symbol.asyncIterator]();
  const { value, done } = await iterator.next();
  const first = done === true ? new Uint8Array() : value.slice();
  const rest = {
    next: () => iterator.next(),
    return: async () => (await iterator.return?.()) ?? { done: true as const, value: undefined },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
  return { first, rest };
}
