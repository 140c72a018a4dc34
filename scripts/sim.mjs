// Runs the deterministic simulation (packages/core/sim). It is TypeScript and is bundled first, into a folder of its
// own in node_modules/.cache, so that runs beside each other do not disturb one another. A planted fault inside the
// core is put in while bundling; each replaces a text that must be there exactly once, so that none rots unseen.

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../", import.meta.url));
const source = join(root, "packages/core/src");
const cache = join(root, "node_modules/.cache");
mkdirSync(cache, { recursive: true });
const folder = mkdtempSync(join(cache, "modelgate-sim-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

/** Matches a text whatever the formatter did to its white space and trailing commas. */
function patternOf(text) {
  const tokens = text.split(/\s+/).map((token) => token.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(tokens.join("\\s*"), "g");
}

function patched(patches) {
  const byFile = new Map();
  for (const patch of patches) {
    const file = join(source, patch.file);
    byFile.set(file, [...(byFile.get(file) ?? []), patch]);
  }
  return {
    name: "planted-fault",
    setup(bundle) {
      bundle.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const wanted = byFile.get(path);
        if (wanted === undefined) return undefined;
        let text = readFileSync(path, "utf8");
        for (const { find, replace } of wanted) {
          const pattern = patternOf(find);
          const found = text.match(pattern)?.length ?? 0;
          if (found !== 1)
            throw new Error(`a planted fault expects this once in ${path}, found ${found} times: ${find}`);
          text = text.replace(pattern, () => replace);
        }
        return { contents: text, loader: "ts" };
      });
    },
  };
}

let bundles = 0;

async function bundle(entry, patches = []) {
  bundles += 1;
  const outfile = join(folder, `bundle-${bundles}.mjs`);
  await build({
    entryPoints: [join(root, "packages/core/sim", entry)],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    packages: "external",
    sourcemap: "inline",
    logLevel: "silent",
    plugins: [patched(patches)],
  });
  return outfile;
}

const { main } = await import(pathToFileURL(await bundle("cli.ts")).href);
process.exit(await main(process.argv.slice(2), (patches) => bundle("worker.ts", patches)));
