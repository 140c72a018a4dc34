import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** Bundles the model server into a program that Node can run. */
export async function bundleModelServer(outfile: string): Promise<void> {
  await build({
    entryPoints: [fileURLToPath(new URL("./model-main.ts", import.meta.url))],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    conditions: ["@modelgate/source"],
    logLevel: "warning",
  });
}
