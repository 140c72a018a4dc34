import { randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ByteStream } from "@modelgate/core";
import { atFiles } from "./file-error.ts";
import { isCode, requireFile, requireNoLink } from "./object-path.ts";

export interface ObjectFolders {
  /** Real path of the folder that the objects are below. */
  readonly objects: string;
  /** Half-written files; on the same file system. */
  readonly unfinished: string;
}

/** A folder may be removed as empty between its making and the rename into it. */
const RENAME_TRIES = 10;

/** Writes all of `body` to `path` or nothing, and returns once that survives a loss of power. */
export async function writeObject(
  folders: ObjectFolders,
  path: string,
  body: ByteStream,
  signal: AbortSignal | undefined,
): Promise<void> {
  await atFiles(() => requireNoLink(dirname(path)));
  await atFiles(() => requireFile(path));
  const unfinished = join(folders.unfinished, randomUUID());
  const file = await atFiles(() => open(unfinished, "wx", 0o600));
  try {
    try {
      await fill(file, body, signal);
      await atFiles(() => file.sync());
    } finally {
      await file.close();
    }
    await atFiles(() => moveTo(path, unfinished));
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => {});
    throw error;
  }
  await atFiles(() => syncFolders(dirname(path), folders.objects));
}

async function fill(file: FileHandle, body: ByteStream, signal: AbortSignal | undefined): Promise<void> {
  // `for await` returns the body's iterator when the loop is left by an error, so that its source is freed.
  for await (const chunk of untilAborted(body, signal)) {
    for (let at = 0; at < chunk.byteLength; ) {
      const { bytesWritten } = await atFiles(() => file.write(chunk, at, chunk.byteLength - at));
      at += bytesWritten;
    }
  }
}

/** The same pieces, but an abort does not wait for a source that has stalled. */
async function* untilAborted(body: ByteStream, signal: AbortSignal | undefined): ByteStream {
  if (signal === undefined) {
    yield* body;
    return;
  }
  const iterator = body[Symbol.asyncIterator]();
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
  });
  aborted.catch(() => {});
  let isEnded = false;
  try {
    for (;;) {
      signal.throwIfAborted();
      const step = await Promise.race([iterator.next(), aborted]);
      if (step.done === true) {
        isEnded = true;
        return;
      }
      yield step.value;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    // A generator that hangs in `next` queues its `return` behind it, so this must not be awaited.
    if (!isEnded) void Promise.resolve(iterator.return?.()).catch(() => {});
  }
}

async function moveTo(path: string, unfinished: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    try {
      await rename(unfinished, path);
      return;
    } catch (error) {
      if (!isCode(error, "ENOENT") || tries === RENAME_TRIES) throw error;
    }
  }
}

/**
 * Makes the names on the way durable, from `folder` up to `root`. All of them each time: another process may have
 * made a folder a moment ago and not have synced it yet, and a folder without changes costs next to nothing.
 */
export async function syncFolders(folder: string, root: string): Promise<void> {
  for (let at = folder; ; at = dirname(at)) {
    await syncFolder(at);
    if (at === root || at === dirname(at)) return;
  }
}

async function syncFolder(folder: string): Promise<void> {
  let handle: FileHandle;
  try {
    handle = await open(folder, "r");
  } catch (error) {
    // Removed as empty meanwhile, or a system (Windows) that opens no folders.
    if (isCode(error, "ENOENT") || process.platform === "win32") return;
    throw error;
  }
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
