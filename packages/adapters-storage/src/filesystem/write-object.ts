import { randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type ByteStream, GatewayError } from "@modelgate/core";
import type { Ending } from "./ending.ts";
import { atFiles } from "./file-error.ts";
import { FileWriter } from "./file-writer.ts";
import { isCode, requireFile, requireNoLink } from "./object-path.ts";
import { syncFolders } from "./sync-folders.ts";

export interface ObjectFolders {
  /** Real path of the folder that the objects are below. */
  readonly objects: string;
  /** Half-written files; on the same file system. */
  readonly unfinished: string;
}

/** A folder may be removed as empty between its making and the rename into it. */
const RENAME_TRIES = 100;

/** Writes all of `body` to `path` or nothing, and returns once that survives a loss of power. */
export async function writeObject(
  folders: ObjectFolders,
  path: string,
  body: ByteStream,
  ending: Ending,
): Promise<{ readonly size: number; readonly mtimeMs: number }> {
  await atFiles(() => requireNoLink(dirname(path), folders.objects));
  await atFiles(() => requireFile(path));
  const unfinished = join(folders.unfinished, randomUUID());
  const file = await atFiles(() => open(unfinished, "wx", 0o600));
  try {
    let written: { readonly size: number; readonly mtimeMs: number };
    try {
      await fill(file, body, ending);
      written = await atFiles(async () => {
        await file.sync();
        return await file.stat();
      });
    } finally {
      await file.close();
    }
    ending.throwIfEnded();
    await atFiles(() => moveTo(path, unfinished, folders.objects));
    await atFiles(() => syncFolders(dirname(path), folders.objects));
    return written;
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => {});
    throw error;
  }
}

async function fill(file: FileHandle, body: ByteStream, ending: Ending): Promise<void> {
  const iterator = body[Symbol.asyncIterator]();
  const writer = new FileWriter(file);
  let isOver = false;
  try {
    for (;;) {
      // An end does not wait for a source that has stalled.
      const next = await ending.race(async () => await iterator.next());
      if (next.done === true) break;
      if (!(next.value instanceof Uint8Array)) throw notBytes();
      await writer.add(next.value);
    }
    isOver = true;
    await writer.flush();
  } finally {
    await writer.idle();
    // Not awaited: a generator that hangs in `next` queues its `return` behind it.
    if (!isOver) void Promise.resolve(iterator.return?.()).catch(() => {});
  }
}

async function moveTo(path: string, unfinished: string, root: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      // Once more, now that all folders are there: much may have happened while the body came.
      await requireNoLink(dirname(path), root);
      await rename(unfinished, path);
      return;
    } catch (error) {
      if (!isCode(error, "ENOENT") || tries === RENAME_TRIES) throw error;
    }
  }
}

function notBytes(): GatewayError {
  return new GatewayError("INVALID_REQUEST", "body must give pieces of bytes (Uint8Array)", {
    details: { field: "body" },
  });
}
