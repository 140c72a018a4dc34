import { randomUUID } from "node:crypto";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { type Finding, fail, ok } from "./finding.ts";

const CHECK = "object store";

/** Writes, reads and deletes one object, in the store itself where there is one. */
export async function checkObjects(dataDir: string, trial: string): Promise<Finding> {
  const { filesystemObjectStore } = await import("@modelgate/adapters-storage/filesystem");
  const kept = join(dataDir, "objects");
  const isThere = (await stat(kept).catch(() => undefined)) !== undefined;
  const objects = filesystemObjectStore({ directory: isThere ? kept : join(trial, "objects") });
  const key = `doctor/${randomUUID()}`;
  const written = Buffer.from(key);
  try {
    await objects.put(key, chunks(written));
    const chunksRead: Uint8Array[] = [];
    for await (const chunk of (await objects.get(key))?.body ?? []) chunksRead.push(chunk);
    if (!Buffer.concat(chunksRead).equals(written))
      throw new Error("an object came back otherwise than it was written");
    await objects.delete([key]);
    return ok(CHECK, "an object was written, read and deleted");
  } catch (error) {
    await objects.delete([key]).catch(() => {});
    const why = error instanceof Error ? error.message : "unknown error";
    return fail(CHECK, why, `let the user of the gateway own ${kept}: chown -R USER ${kept}`);
  } finally {
    await objects.close();
  }
}

async function* chunks(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}
