import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { withoutComments } from "./parse-jsonc.ts";
import { Unusable } from "./unusable.ts";

/** A configuration file as it was read, or why it was not. */
export type LoadedConfig =
  | { readonly path: string; readonly content: unknown }
  | {
      readonly path: string;
      readonly problem: string;
      /** Of the error of the system, such as `ENOENT`. */
      readonly code?: string | undefined;
    };

type Reader = (path: string) => Promise<unknown>;

const viaModule: Reader = async (path) => (await import("./load-module.ts")).loadModule(path);
const viaYaml: Reader = async (path) => (await import("./parse-yaml.ts")).parseYaml(await textOf(path));

const viaJson: Reader = async (path) => parseJson(withoutComments(await textOf(path)));

const READERS: Readonly<Record<string, Reader>> = {
  ".json": viaJson,
  ".jsonc": viaJson,
  ".yaml": viaYaml,
  ".yml": viaYaml,
  ".js": viaModule,
  ".mjs": viaModule,
  ".ts": viaModule,
  ".mts": viaModule,
};

/** Reads a configuration file, by what its name ends in unless it has to be JSON. Never rejects. */
export async function loadConfig(path: string, isJson = false): Promise<LoadedConfig> {
  const read = isJson ? viaJson : READERS[extname(path).toLowerCase()];
  try {
    if (read === undefined)
      throw new Unusable(`has a name that tells no format; end it in ${Object.keys(READERS).join(", ")}`);
    return { path, content: await read(path) };
  } catch (error) {
    const { code, name } = error as NodeJS.ErrnoException;
    const why = error instanceof Unusable ? error.message : `cannot be read (${code ?? name})`;
    return { path, code, problem: `The configuration file ${path} ${why}.` };
  }
}

async function textOf(path: string): Promise<string> {
  const text = await readFile(path, "utf8");
  // Editors on Windows write a byte order mark, which no parser wants.
  return text.startsWith("\ufeff") ? text.slice(1) : text;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // The rest of the message would quote the file.
    const [, at] = /at position (\d+)/.exec((error as Error).message) ?? [];
    throw new Unusable(`is not JSON${at === undefined ? "" : ` (${placeOf(text, Number(at))})`}`);
  }
}

function placeOf(text: string, at: number): string {
  const lines = text.slice(0, at).split("\n");
  return `line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1}`;
}
