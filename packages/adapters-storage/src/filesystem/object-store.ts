import { constants } from "node:fs";
import { lstat, open, rmdir, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { type ByteRange, GatewayError, type ObjectStat, type ObjectStore } from "@modelgate/core";
import { Ending } from "./ending.ts";
import { fileBody } from "./file-body.ts";
import { atFiles } from "./file-error.ts";
import { smallestKeys } from "./list-objects.ts";
import { fileOf, isCode, requireKey, requireNoLink, unlessMissing } from "./object-path.ts";
import { openFolders } from "./open-folders.ts";
import { syncFolders } from "./sync-folders.ts";
import { type ObjectFolders, writeObject } from "./write-object.ts";

export interface FilesystemObjectStoreOptions {
  /** Where the objects are; made if it is not there, readable by its owner only. On one local file system. */
  readonly directory: string;
}

const PAGE = 1000;

/** A link is not followed, and something that is no file (a pipe) does not hold the call up. */
const READ = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/**
 * Objects as files below one directory. A write goes to a file of its own, is synced and then renamed, so that a
 * reader or a crash meets the whole object or none. Several processes may share the directory. Closing ends what is
 * being written or read with `CLOSED`.
 */
export function filesystemObjectStore(options: FilesystemObjectStoreOptions): ObjectStore {
  if (typeof options?.directory !== "string" || options.directory === "") {
    throw new GatewayError("INVALID_OPTIONS", "directory must be a path", {
      details: { field: "directory" },
    });
  }
  const underWay = new Set<Ending>();
  let isClosed = false;
  let opened: Promise<ObjectFolders> | undefined;

  const requireOpen = (): void => {
    if (isClosed) throw closed();
  };
  const begin = async (signal: AbortSignal | undefined): Promise<ObjectFolders> => {
    requireOpen();
    signal?.throwIfAborted();
    opened ??= atFiles(() => openFolders(options.directory));
    try {
      return await opened;
    } catch (error) {
      opened = undefined;
      throw error;
    }
  };

  return {
    capabilities: { durable: true, shared: true, presign: false },
    async put(key, body, { signal } = {}) {
      requireOpen();
      requireKey(key);
      signal?.throwIfAborted();
      const ending = new Ending(underWay, signal);
      try {
        const folders = await begin(signal);
        return statOf(key, await writeObject(folders, fileOf(folders.objects, key), body, ending));
      } finally {
        ending.finish();
      }
    },
    async get(key, { signal, range } = {}) {
      requireOpen();
      requireKey(key);
      const { objects } = await begin(signal);
      const path = fileOf(objects, key);
      return await atFiles(async () => {
        await requireNoLink(dirname(path), objects);
        const file = await open(path, READ).catch(unlessMissing);
        if (file === undefined) return undefined;
        try {
          const found = await file.stat();
          if (found.isFile()) {
            const { start, end } = boundsOf(range, found.size);
            requireOpen();
            return {
              ...statOf(key, found),
              body: fileBody(file, start, end, new Ending(underWay, signal)),
            };
          }
        } catch (error) {
          await file.close();
          throw error;
        }
        await file.close();
        return undefined;
      });
    },
    async stat(key, { signal } = {}) {
      requireOpen();
      requireKey(key);
      const { objects } = await begin(signal);
      const path = fileOf(objects, key);
      return await atFiles(async () => {
        await requireNoLink(dirname(path), objects);
        const found = await lstat(path).catch(unlessMissing);
        return found?.isFile() === true ? statOf(key, found) : undefined;
      });
    },
    async delete(keys, { signal } = {}) {
      requireOpen();
      for (const key of keys) requireKey(key);
      const { objects } = await begin(signal);
      await atFiles(async () => {
        const touched = new Set<string>();
        for (const key of keys) {
          signal?.throwIfAborted();
          const path = fileOf(objects, key);
          await requireNoLink(dirname(path), objects);
          if (await removeFile(path)) touched.add(await removeEmpty(dirname(path), objects));
        }
        for (const folder of touched) await syncFolders(folder, objects);
      });
    },
    async list(prefix, cursor = "", { signal } = {}) {
      const { objects } = await begin(signal);
      return await atFiles(async () => {
        const keys = await smallestKeys(objects, prefix, cursor, PAGE + 1);
        const found = await Promise.all(
          keys.slice(0, PAGE).map(async (key) => {
            const entry = await lstat(fileOf(objects, key)).catch(unlessMissing);
            return entry?.isFile() === true ? [statOf(key, entry)] : [];
          }),
        );
        return { items: found.flat(), nextCursor: keys.length > PAGE ? keys[PAGE - 1] : undefined };
      });
    },
    async presign() {
      requireOpen();
      throw new GatewayError("UNSUPPORTED", "files have no address; read the object through the gateway");
    },
    async close() {
      isClosed = true;
      const open = [...underWay];
      for (const ending of open) ending.end(closed());
      await Promise.all(open.map(({ over }) => over));
    },
  };
}

function closed(): GatewayError {
  return new GatewayError("CLOSED", "the filesystem object store is closed");
}

/** Whether there was something to remove. */
async function removeFile(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    unlessMissing(error);
    return false;
  }
}

/** Removes folders that the last object has left; returns the first that stays. */
async function removeEmpty(folder: string, root: string): Promise<string> {
  for (let at = folder; at !== root; at = dirname(at)) {
    try {
      await rmdir(at);
    } catch (error) {
      if (isCode(error, "ENOTEMPTY") || isCode(error, "EEXIST")) return at;
      if (!isCode(error, "ENOENT")) throw error;
    }
  }
  return root;
}

function boundsOf(range: ByteRange | undefined, sizeBytes: number): { start: number; end: number } {
  if (range === undefined) return { start: 0, end: sizeBytes };
  const { start, end = sizeBytes - 1 } = range;
  if (!Number.isInteger(start) || start < 0 || start >= sizeBytes || !Number.isInteger(end) || end < start) {
    throw new GatewayError(
      "INVALID_REQUEST",
      `range begins beyond the object's ${sizeBytes} bytes or before them`,
      {
        details: { field: "range", sizeBytes },
      },
    );
  }
  return { start, end: Math.min(end + 1, sizeBytes) };
}

function statOf(key: string, found: { readonly size: number; readonly mtimeMs: number }): ObjectStat {
  return { key, sizeBytes: found.size, modifiedAtMs: Math.floor(found.mtimeMs) };
}
