import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const packageFolder = fileURLToPath(new URL("../../", import.meta.url));
const storageSource = fileURLToPath(new URL("../../../adapters-storage/src/sqlite/", import.meta.url));

export interface BuiltCommand {
  readonly file: string;
  remove(): Promise<void>;
}

/**
 * Bundles the command from the sources as they are, because Node 20 runs no TypeScript and a `dist` may be older.
 * Each caller gets its own, so that test files may do this at the same time.
 */
export async function buildCommand(): Promise<BuiltCommand> {
  const cache = join(packageFolder, "node_modules/.cache");
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, "command-"));
  await build({
    entryPoints: {
      cli: join(packageFolder, "src/cli.ts"),
      // The store looks for its worker next to its own code.
      worker: join(storageSource, "worker.ts"),
    },
    outdir: join(folder, "dist"),
    bundle: true,
    // What is imported when it is needed stays apart, as in the real build.
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    conditions: ["@modelgate/source"],
    external: [
      "libsql",
      "pg",
      "minio",
      "ioredis",
      "amqplib",
      "dockerode",
      "yaml",
      "undici",
      "eventemitter3",
      "ky",
      "p-queue",
      "hono",
      "prom-client",
      "@fastify/busboy",
    ],
    logLevel: "warning",
  });
  await writeFile(join(folder, "package.json"), '{"type":"module","version":"0.0.0-test"}');
  return {
    file: join(folder, "dist/cli.js"),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
