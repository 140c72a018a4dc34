import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = new URL("../../../", import.meta.url);

/** The exit code of a process that opens a deployer, uses it, closes it, and ends when nothing keeps it. */
export async function exitCodeOf(socketPath: string): Promise<number | null> {
  // Inside the package, so that what is not bundled is found.
  const file = fileURLToPath(new URL("node_modules/.cache/deployer-test/close-child.mjs", root));
  await build({
    entryPoints: [fileURLToPath(new URL("close-child.ts", import.meta.url))],
    bundle: true,
    platform: "node",
    format: "esm",
    conditions: ["@modelgate/source"],
    external: ["dockerode"],
    outfile: file,
    logLevel: "error",
  });
  const child = spawn(process.execPath, [file, socketPath], { stdio: "inherit" });
  const [code] = (await once(child, "exit")) as [number | null];
  return code;
}
