import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { isCode } from "./object-path.ts";

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
    // Removed as empty meanwhile, above ours and not for us to read, or a system (Windows) that opens no folders.
    if (isCode(error, "ENOENT") || isCode(error, "EACCES") || process.platform === "win32") return;
    throw error;
  }
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
