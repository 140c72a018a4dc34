import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";

const packageFolder = fileURLToPath(new URL("../", import.meta.url));

/** Packages that are loaded together with an entry, and not only once they are needed. */
async function loadedWith(entry: string): Promise<readonly string[]> {
  const { metafile } = await build({
    absWorkingDir: packageFolder,
    entryPoints: [entry],
    outdir: "unwritten",
    write: false,
    metafile: true,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    packages: "external",
  });
  const outputs = metafile.outputs;
  const seen = new Set<string>();
  const packages = new Set<string>();
  const visit = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    for (const { path, kind, external } of outputs[name]?.imports ?? []) {
      if (kind === "dynamic-import") continue;
      if (external === true) packages.add(path);
      else visit(path);
    }
  };
  for (const [name, output] of Object.entries(outputs)) if (output.entryPoint === entry) visit(name);
  return [...packages].filter((name) => !name.startsWith("node:")).sort();
}

describe("what is loaded", () => {
  it("with a handler is not what only a scrape needs", async () => {
    expect(await loadedWith("src/index.ts")).not.toContain("prom-client");
    expect(await loadedWith("src/node.ts")).not.toContain("prom-client");
  });

  it("with the command is only what reads its settings, before it is known which one is called", async () => {
    expect(await loadedWith("src/cli.ts")).toEqual(["zod"]);
  });
});
