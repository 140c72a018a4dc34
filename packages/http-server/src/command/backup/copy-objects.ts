import type { ObjectStat, ObjectStore, OperationOptions } from "@modelgate/core";

/** Counts of objects, and the bytes that were copied. */
export interface CopyReport {
  readonly copied: number;
  readonly copiedBytes: number;
  readonly kept: number;
}

interface Between {
  readonly from: ObjectStore;
  readonly to: ObjectStore;
}

/** Copies what is not there yet. An object never changes under its key, so that one of the same size is the same. */
export async function copyObjects({ from, to }: Between, options: OperationOptions): Promise<CopyReport> {
  let [copied, copiedBytes, kept] = [0, 0, 0];
  for await (const [object, there] of compared(from, to, options)) {
    if (object === undefined) continue;
    if (there?.sizeBytes === object.sizeBytes) {
      kept += 1;
      continue;
    }
    const read = await from.get(object.key, options);
    // Forgotten on time, or by whoever uploaded it in vain.
    if (read === undefined) continue;
    const { sizeBytes } = await to.put(object.key, read.body, options);
    copied += 1;
    copiedBytes += sizeBytes;
  }
  return { copied, copiedBytes, kept };
}

/** Removes objects of an earlier backup that are not there any more; resolves to how many. */
export async function removeForgotten(
  { from, to, beforeMs }: Between & { readonly beforeMs: number },
  options: OperationOptions,
): Promise<number> {
  let removed = 0;
  for await (const [object, there] of compared(from, to, options)) {
    if (object !== undefined || there === undefined || there.modifiedAtMs >= beforeMs) continue;
    await to.delete([there.key], options);
    removed += 1;
  }
  return removed;
}

/** Both stores list by key, so that what belongs together is found without keeping either list. */
async function* compared(
  from: ObjectStore,
  to: ObjectStore,
  options: OperationOptions,
): AsyncGenerator<readonly [from: ObjectStat | undefined, to: ObjectStat | undefined]> {
  const [ours, theirs] = [objectsOf(from, options), objectsOf(to, options)];
  let [one, other] = [await next(ours), await next(theirs)];
  while (one !== undefined || other !== undefined) {
    if (other === undefined || (one !== undefined && one.key < other.key)) {
      yield [one, undefined];
      one = await next(ours);
    } else if (one === undefined || other.key < one.key) {
      yield [undefined, other];
      other = await next(theirs);
    } else {
      yield [one, other];
      [one, other] = [await next(ours), await next(theirs)];
    }
  }
}

async function* objectsOf(store: ObjectStore, options: OperationOptions): AsyncGenerator<ObjectStat> {
  let cursor: string | undefined;
  do {
    const page = await store.list("", cursor, options);
    yield* page.items;
    cursor = page.nextCursor;
  } while (cursor !== undefined);
}

async function next<T>(iterator: AsyncIterator<T>): Promise<T | undefined> {
  const { done, value } = await iterator.next();
  return done === true ? undefined : value;
}
