import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** The exit code of a process that opens a discovery, uses it, closes it, and ends when nothing keeps it. */
export async function exitCodeOf(socketPath: string): Promise<number | null> {
  // Inside the package, so that what is not bundled is found.
  const file = new URL("../../node_modules/.cache/discovery-test/close-child.mjs", import.meta.url);
  await build({
    entryPoints: [fileURLToPath(new URL("close-child.ts", import.meta.url))],
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    conditions: ["@modelgate/source"],
    packages: "external",
    alias: {
      "@modelgate/core/adapter": fileURLToPath(new URL("../../../core/src/adapter.ts", import.meta.url)),
      "@modelgate/core": fileURLToPath(new URL("../../../core/src/index.ts", import.meta.url)),
    },
    outfile: fileURLToPath(file),
    logLevel: "error",
  });
  const child = spawn(process.execPath, [fileURLToPath(file), socketPath], { stdio: "inherit" });
  const [code] = (await once(child, "exit")) as [number | null];
  return code;
}
