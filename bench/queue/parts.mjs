// Benches measure the sources as they are: this bundles stores, brokers and the core into one folder and loads them, so
// that nothing stale in `dist` is measured by mistake.
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = new URL("../../packages/adapters-storage/", import.meta.url);
const folder = new URL("node_modules/.cache/bench-queue/", root);
const require = createRequire(new URL("package.json", root));

export const amqplib = () => require("amqplib");

/**
 * Bundles once, before any child runs: children that bundled too would overwrite what others are loading. Whoever runs
 * several benches in a row has done it before and says so by BENCH_BUNDLED=1.
 */
export async function bundleParts() {
  if (process.env.BENCH_BUNDLED === "1") return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(new URL("package.json", folder), '{"type":"module"}');
  const source = (name) => fileURLToPath(new URL(`src/${name}.ts`, root));
  await build({
    entryPoints: {
      core: fileURLToPath(new URL("../core/src/index.ts", root)),
      memory: fileURLToPath(new URL("../core/src/memory/index.ts", root)),
      ...{ postgres: source("postgres/index"), redis: source("redis/index") },
      ...{
        rabbitmq: source("rabbitmq/index"),
        sqlite: source("sqlite/index"),
        worker: source("sqlite/worker"),
      },
    },
    outdir: fileURLToPath(folder),
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    conditions: ["@modelgate/source"],
    external: ["pg", "ioredis", "amqplib", "libsql", "eventemitter3", "ky", "p-queue", "undici"],
    logLevel: "warning",
  });
}

/** One of the bundles: `core`, `memory`, `postgres`, `sqlite`, `redis` or `rabbitmq`. */
export async function load(name) {
  return await import(new URL(`${name}.js`, folder).href);
}

/** A client of our own of a broker, `redis` or `rabbitmq`. */
export async function openBroker(kind, url, { prefix = "bench", ...options } = {}) {
  const parts = await load(kind);
  if (kind === "rabbitmq") return parts.rabbitmqBroker({ url, prefix, ...options });
  return parts.redisBroker({ url, prefix, onWarning: () => {}, ...options });
}
