import { randomBytes } from "node:crypto";
import { access, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, extname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Unusable } from "./unusable.ts";

/** As much of esbuild as is used; it is never installed for this alone. */
interface Esbuild {
  build(options: object): Promise<{ readonly outputFiles: readonly { readonly text: string }[] }>;
}

/** The default export of a module. Throws `Unusable`, and what reading the file threw. */
export async function loadModule(given: string): Promise<unknown> {
  const path = resolve(given);
  await access(path);
  const isTyped = /ts$/.test(extname(path));
  const found = await (isTyped && !readsTypes() ? importTranslated(path) : importOwn(path));
  if (typeof found === "object" && found !== null && "default" in found && found.default !== undefined)
    return found.default;
  throw new Unusable("has no default export; write export default defineConfig({ … })");
}

function readsTypes(): boolean {
  const { typescript } = process.features as { readonly typescript?: unknown };
  return typeof typescript === "string";
}

async function importOwn(path: string, isOriginal = true): Promise<unknown> {
  const { href } = pathToFileURL(path);
  try {
    return await import(href);
  } catch (error) {
    throw new Unusable(`cannot be loaded (${reasonOf(error, href, isOriginal)})`);
  }
}

/** This Node knows no types: an esbuild that is installed where the file is takes them away. */
async function importTranslated(path: string): Promise<unknown> {
  const esbuild = await findEsbuild(path);
  let text: string | undefined;
  try {
    const result = await esbuild.build({
      entryPoints: [path],
      bundle: true,
      packages: "external",
      write: false,
      format: "esm",
      platform: "node",
      target: `node${process.versions.node}`,
      logLevel: "silent",
    });
    text = result.outputFiles[0]?.text;
  } catch (error) {
    const [first] = (error as { errors?: { location?: { line: number } | null }[] }).errors ?? [];
    const line = first?.location?.line;
    throw new Unusable(`cannot be translated${line === undefined ? "" : ` (line ${line})`}`);
  }
  // Beside the original, because packages are looked for from where a module is.
  const translated = join(dirname(path), `.modelgate-config-${randomBytes(6).toString("hex")}.mjs`);
  try {
    // It may hold a secret, as the original may.
    await writeFile(translated, text ?? "", { mode: 0o600, flag: "wx" });
    return await importOwn(translated, false);
  } finally {
    await rm(translated, { force: true });
  }
}

async function findEsbuild(path: string): Promise<Esbuild> {
  try {
    const found = createRequire(path).resolve("esbuild");
    const loaded = (await import(pathToFileURL(found).href)) as { default: Esbuild };
    return loaded.default;
  } catch {
    throw new Unusable(
      `is TypeScript, which Node ${process.versions.node} reads from 22.18 on, and there is no esbuild to translate it; write it as .mjs`,
    );
  }
}

/** What a module throws may quote what it holds, so that only the kind of error and its place are told. */
function reasonOf(error: unknown, address: string, isOriginal: boolean): string {
  if (!(error instanceof Error)) return "it throws";
  const { code } = error as NodeJS.ErrnoException;
  const [, rest = ""] = (error.stack ?? "").split(`${address}:`);
  const line = isOriginal ? /^\d+/.exec(rest)?.[0] : undefined;
  const missing =
    code === "ERR_MODULE_NOT_FOUND" ? / '([^']+)' imported from/.exec(error.message)?.[1] : undefined;
  const parts = [
    code ?? error.name,
    missing === undefined ? undefined : `${missing} is not found`,
    line === undefined ? undefined : `line ${line}`,
  ];
  return parts.filter((part) => part !== undefined).join(", ");
}
