import { constants } from "node:fs";
import { lstat, mkdir, open, opendir, realpath, rm, rmdir, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type ByteRange, GatewayError, type ObjectStat, type ObjectStore } from "@modelgate/core";
import { fileBody } from "./file-body.ts";
import { atFiles } from "./file-error.ts";
import { smallestKeys } from "./list-objects.ts";
import { fileOf, isCode, requireKey, requireNoLink } from "./object-path.ts";
import { type ObjectFolders, syncFolders, writeObject } from "./write-object.ts";

export interface FilesystemObjectStoreOptions {
  /** Where the objects are; made if it is not there, readable by its owner only. On one local file system. */
  readonly directory: string;
}

/** Half-written files of a process that ended; one that still writes touches its file far more often. */
const UNFINISHED_MS = 3_600_000;
const PAGE = 1000;

/**
 * Objects as files below one directory. A write goes to a file of its own, is synced and then renamed, so that a
 * reader or a crash meets the whole object or none. Several processes may share the directory.
 */
export function filesystemObjectStore(options: FilesystemObjectStoreOptions): ObjectStore {
  if (typeof options?.directory !== "string" || options.directory === "") {
    throw new GatewayError("INVALID_OPTIONS", "directory must be a path", {
      details: { field: "directory" },
    });
  }
  let isClosed = false;
  let opened: Promise<ObjectFolders> | undefined;

  const requireOpen = (): void => {
    if (isClosed) throw new GatewayError("CLOSED", "the filesystem object store is closed");
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
      requireKey(key);
      const folders = await begin(signal);
      const path = fileOf(folders.objects, key);
      await writeObject(folders, path, body, signal);
      return await atFiles(async () => statOf(key, await stat(path)));
    },
    async get(key, { signal, range } = {}) {
      requireKey(key);
      const { objects } = await begin(signal);
      const path = fileOf(objects, key);
      return await atFiles(async () => {
        await requireNoLink(dirname(path));
        const file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)).catch(unlessMissing);
        if (file === undefined) return undefined;
        try {
          const found = await file.stat();
          const { start, end } = boundsOf(range, found.size);
          return { ...statOf(key, found), body: fileBody(file, start, end, signal) };
        } catch (error) {
          await file.close();
          throw error;
        }
      });
    },
    async stat(key, { signal } = {}) {
      requireKey(key);
      const { objects } = await begin(signal);
      const path = fileOf(objects, key);
      return await atFiles(async () => {
        await requireNoLink(dirname(path));
        const found = await lstat(path).catch(unlessMissing);
        return found?.isFile() === true ? statOf(key, found) : undefined;
      });
    },
    async delete(keys, { signal } = {}) {
      for (const key of keys) requireKey(key);
      const { objects } = await begin(signal);
      await atFiles(async () => {
        const touched = new Set<string>();
        for (const key of keys) {
          signal?.throwIfAborted();
          const path = fileOf(objects, key);
          await requireNoLink(dirname(path));
          if ((await unlink(path).catch(unlessMissing)) === undefined) continue;
          touched.add(await removeEmpty(dirname(path), objects));
        }
        for (const folder of touched) await syncFolders(folder, objects);
      });
    },
    async list(prefix, cursor = "", { signal } = {}) {
      const { objects } = await begin(signal);
      return await atFiles(async () => {
        const keys = await smallestKeys(objects, prefix, cursor, PAGE + 1);
        const items: ObjectStat[] = [];
        for (const key of keys.slice(0, PAGE)) {
          const found = await stat(fileOf(objects, key)).catch(unlessMissing);
          if (found !== undefined) items.push(statOf(key, found));
        }
        return { items, nextCursor: keys.length > PAGE ? keys[PAGE - 1] : undefined };
      });
    },
    async presign() {
      requireOpen();
      throw new GatewayError("UNSUPPORTED", "files have no address; read the object through the gateway");
    },
    async close() {
      isClosed = true;
    },
  };
}

async function openFolders(directory: string): Promise<ObjectFolders> {
  const objects = join(directory, "objects");
  const unfinished = join(directory, "unfinished");
  for (const folder of [objects, unfinished]) await mkdir(folder, { recursive: true, mode: 0o700 });
  const folders = { objects: await realpath(objects), unfinished: await realpath(unfinished) };
  const root = await realpath(directory);
  if (folders.objects !== join(root, "objects") || folders.unfinished !== join(root, "unfinished")) {
    throw new GatewayError("STORE_UNAVAILABLE", "the object directory holds a symbolic link; remove it");
  }
  await syncFolders(folders.objects, dirname(root));
  const oldestMs = Date.now() - UNFINISHED_MS;
  for await (const { name } of await opendir(folders.unfinished)) {
    const path = join(folders.unfinished, name);
    const found = await lstat(path).catch(unlessMissing);
    if (found !== undefined && found.mtimeMs < oldestMs) await rm(path, { force: true, recursive: true });
  }
  return folders;
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

function statOf(key: string, found: { size: number; mtimeMs: number }): ObjectStat {
  return { key, sizeBytes: found.size, modifiedAtMs: Math.floor(found.mtimeMs) };
}

function unlessMissing(error: unknown): undefined {
  if (isCode(error, "ENOENT") || isCode(error, "ENOTDIR")) return undefined;
  throw error;
}
