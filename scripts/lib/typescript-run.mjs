// What the scripts have in common whose run is TypeScript, which Node 20 cannot load, against the built command.

import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./processes.mjs";

/** The package of the command, whose tests hold the runs. */
export const server = join(root, "packages/http-server");

/** What a flag says. Throws, naming the flag, unless it is a whole number from `least`. */
export function wholeNumber(flag, text, least) {
  if (!/^\d{1,10}$/.test(text) || Number(text) < least) {
    throw new Error(`--${flag} is "${text}"; give a whole number from ${least}.`);
  }
  return Number(text);
}

/** Builds every package. */
export function build() {
  const { status } = spawnSync(
    process.execPath,
    [join(root, "node_modules/turbo/bin/turbo"), "run", "build", "--output-logs=errors-only"],
    { cwd: root, stdio: "inherit", env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1" } },
  );
  if (status !== 0) throw new Error("the build failed");
}

/**
 * All that `modules` export, which are paths from the command's tests; `name` tells one run's bundle from another's.
 * `options` are more of esbuild's.
 */
export async function loadRun(name, modules, options = {}) {
  return await import(pathToFileURL(await bundleRun(name, modules, options)).href);
}

/** The file of such a bundle, for a process of its own. */
export async function bundleRun(name, modules, options = {}) {
  const { build: bundle } = createRequire(join(root, "packages/adapters-storage/package.json"))("esbuild");
  const folder = join(server, "node_modules/.cache");
  mkdirSync(folder, { recursive: true });
  const outfile = join(folder, `${name}.mjs`);
  await bundle({
    stdin: {
      contents: modules.map((path) => `export * from ${JSON.stringify(path)};`).join("\n"),
      resolveDir: join(server, "test"),
      loader: "ts",
    },
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    logLevel: "warning",
    ...options,
  });
  return outfile;
}
