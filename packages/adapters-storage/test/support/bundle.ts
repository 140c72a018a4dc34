import { mkdir, rename, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** Packages that a bundle finds where it runs: native, or in a module format that does not survive bundling. */
const EXTERNAL = ["libsql", "pg", "minio"];

/**
 * Makes `NAME.js` of each program in `folder`, a folder of this package, for processes and threads that cannot load
 * TypeScript. Workspace packages are bundled from source.
 */
export async function bundle(folder: URL, programs: Readonly<Record<string, URL>>): Promise<void> {
  await mkdir(folder, { recursive: true });
  await replace(new URL("package.json", folder), (file) => writeFile(file, '{"type":"module"}'));
  for (const [name, source] of Object.entries(programs)) {
    await replace(new URL(`${name}.js`, folder), async (file) => {
      await build({
        entryPoints: [fileURLToPath(source)],
        outfile: fileURLToPath(file),
        bundle: true,
        format: "esm",
        platform: "node",
        target: "node20",
        conditions: ["@modelgate/source"],
        external: EXTERNAL,
        sourcemap: "inline",
        logLevel: "warning",
      });
    });
  }
}

/** A rename is atomic: who reads the file meanwhile sees the old one or the new one, never half of one. */
async function replace(file: URL, write: (unfinished: URL) => Promise<void>): Promise<void> {
  const unfinished = new URL(`${file.href}.${process.pid}.${Math.random()}`);
  await write(unfinished);
  await rename(unfinished, file);
}
