import { existsSync } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const source = fileURLToPath(new URL("../src/sqlite/worker.ts", import.meta.url));
const folder = fileURLToPath(new URL("../node_modules/.cache/sqlite-worker/", import.meta.url));

/**
 * Node 20 cannot load TypeScript in a worker thread, so tests that run from source still need the built worker.
 * Workspace packages are bundled from source; only the native driver stays outside. It lies apart from `dist`, which a
 * build empties while tests may run.
 */
export async function setup(): Promise<void> {
  if (!existsSync(source)) return;
  const unfinished = `${folder}worker.${process.pid}.js`;
  await mkdir(folder, { recursive: true });
  await build({
    entryPoints: [source],
    outfile: unfinished,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    conditions: ["@modelgate/source"],
    external: ["libsql"],
    sourcemap: "inline",
    logLevel: "warning",
  });
  // A rename is atomic: a worker that starts meanwhile reads the old file or the new one, never half of one.
  await rename(unfinished, `${folder}worker.js`);
}
