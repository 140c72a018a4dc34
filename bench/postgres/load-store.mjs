// Benches measure the sources as they are: this bundles the PostgreSQL store and the core into one folder and loads
// them, so that nothing stale in `dist` is measured by mistake.
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = new URL("../../packages/adapters-storage/", import.meta.url);
const folder = new URL("node_modules/.cache/bench-postgres/", root);

/** The driver that the store itself uses. */
export const { default: pg } = await import(createRequire(new URL("package.json", root)).resolve("pg"));

/** Bundles once, before any child runs: children that bundled too would overwrite what others are loading. */
export async function bundleStore() {
  mkdirSync(folder, { recursive: true });
  writeFileSync(new URL("package.json", folder), '{"type":"module"}');
  await build({
    entryPoints: {
      core: fileURLToPath(new URL("../core/src/index.ts", root)),
      memory: fileURLToPath(new URL("../core/src/memory/index.ts", root)),
      postgres: fileURLToPath(new URL("src/postgres/index.ts", root)),
    },
    outdir: fileURLToPath(folder),
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    conditions: ["@modelgate/source"],
    external: ["pg", "eventemitter3", "ky", "p-queue", "undici"],
    logLevel: "warning",
  });
}

/** One of the bundles: `core`, `memory` or `postgres`. */
export async function load(name) {
  return await import(new URL(`${name}.js`, folder).href);
}
