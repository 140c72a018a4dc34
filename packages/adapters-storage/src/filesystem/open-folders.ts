import { lstat, mkdir, opendir, realpath, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { GatewayError } from "@modelgate/core";
import { unlessMissing } from "./object-path.ts";
import { syncFolders } from "./sync-folders.ts";
import type { ObjectFolders } from "./write-object.ts";

/** Half-written files of a process that ended; one that still writes touches its file far more often. */
const UNFINISHED_MS = 3_600_000;

/** Makes what is not there yet, durably, and sweeps what other processes have left half-written. */
export async function openFolders(directory: string): Promise<ObjectFolders> {
  const objects = join(directory, "objects");
  const unfinished = join(directory, "unfinished");
  const firstMade = await mkdir(objects, { recursive: true, mode: 0o700 });
  await mkdir(unfinished, { recursive: true, mode: 0o700 });
  const folders = { objects: await realpath(objects), unfinished: await realpath(unfinished) };
  const root = await realpath(directory);
  if (folders.objects !== join(root, "objects") || folders.unfinished !== join(root, "unfinished")) {
    throw new GatewayError("STORE_UNAVAILABLE", "the object directory holds a symbolic link; remove it");
  }
  // Every folder made here has its name in the one above it.
  const above = firstMade === undefined ? root : await realpath(dirname(firstMade));
  await syncFolders(folders.objects, dirname(root).startsWith(above) ? above : dirname(root));
  await sweep(folders.unfinished);
  return folders;
}

async function sweep(unfinished: string): Promise<void> {
  const oldestMs = Date.now() - UNFINISHED_MS;
  for await (const { name } of await opendir(unfinished)) {
    const path = join(unfinished, name);
    const found = await lstat(path).catch(unlessMissing);
    if (found !== undefined && found.mtimeMs < oldestMs) await rm(path, { force: true, recursive: true });
  }
}
