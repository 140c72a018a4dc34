// Benches measure the sources as they are: this bundles the store and its worker into one folder and loads them, so
// that nothing stale in `dist` is measured by mistake.
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = new URL("../../packages/adapters-storage/", import.meta.url);
const folder = new URL("node_modules/.cache/bench-sqlite/", root);

/** `openSqliteStore` of the sources, and the path of the folder that it was bundled into. */
export async function loadStore() {
  mkdirSync(folder, { recursive: true });
  writeFileSync(new URL("package.json", folder), '{"type":"module"}');
  await build({
    entryPoints: {
      store: fileURLToPath(new URL("src/sqlite/sqlite-store.ts", root)),
      worker: fileURLToPath(new URL("src/sqlite/worker.ts", root)),
      schema: fileURLToPath(new URL("src/sqlite/engine/open-database.ts", root)),
    },
    outdir: fileURLToPath(folder),
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    conditions: ["@modelgate/source"],
    external: ["libsql"],
    logLevel: "warning",
  });
  const { openSqliteStore } = await import(new URL("store.js", folder).href);
  return { openSqliteStore, folder: fileURLToPath(folder) };
}

/** Value at the fraction `of` of sorted numbers. */
export function quantile(sorted, of) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * of))];
}
