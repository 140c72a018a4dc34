import { existsSync } from "node:fs";
import { bundle } from "./support/bundle.ts";

const worker = new URL("../src/sqlite/worker.ts", import.meta.url);

/**
 * Node 20 cannot load TypeScript in a worker thread, so tests that run from source still need the built worker. It
 * lies apart from `dist`, which a build empties while tests may run.
 */
export async function setup(): Promise<void> {
  if (existsSync(worker))
    await bundle(new URL("../node_modules/.cache/sqlite-worker/", import.meta.url), { worker });
}
