import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { filesystemObjectStore } from "@modelgate/adapters-storage/filesystem";
import { sqliteStore } from "@modelgate/adapters-storage/sqlite";
import type { GatewayOptions } from "@modelgate/core";
import { type RealGateway, startGateway } from "./real-gateway.ts";

export interface DurableGateway extends RealGateway {
  /** What is kept of all requests: tasks in the ledger, and files of the object store, unfinished ones too. */
  kept(): Promise<{ readonly tasks: number; readonly files: number }>;
}

/** A gateway as the command runs it, on a directory of its own, in front of real servers. */
export async function startDurableGateway(
  servers: Readonly<Record<string, string>>,
  options: Partial<GatewayOptions> = {},
): Promise<DurableGateway> {
  const directory = await mkdtemp(join(tmpdir(), "modelgate-http-"));
  const store = sqliteStore({ directory });
  const objects = filesystemObjectStore({ directory: join(directory, "objects") });
  const real = await startGateway(servers, { ledger: store.ledger, objects, ...options });
  return {
    gateway: real.gateway,
    async kept() {
      let tasks = 0;
      let cursor: string | undefined;
      do {
        const page = await real.gateway.list({ limit: 1000, cursor });
        tasks += page.items.length;
        cursor = page.nextCursor;
      } while (cursor !== undefined);
      return { tasks, files: await countFiles(join(directory, "objects")) };
    },
    async close() {
      await real.close();
      await objects.close();
      await store.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Folders may go while they are looked at. */
async function countFiles(folder: string): Promise<number> {
  let count = 0;
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    if (entry.isDirectory()) count += await countFiles(join(folder, entry.name));
    else count += 1;
  }
  return count;
}
