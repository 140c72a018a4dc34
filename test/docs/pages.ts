import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const root: string = fileURLToPath(new URL("../../", import.meta.url));

/** A fenced block of a page. */
export interface Block {
  readonly page: string;
  readonly line: number;
  /** The first word after the fence. */
  readonly language: string;
  /** What follows it, such as `no-run`. */
  readonly marks: readonly string[];
  readonly text: string;
}

export interface Page {
  /** From the root of the repository. */
  readonly path: string;
  readonly text: string;
  /** The text with every fenced block left out, line for line. */
  readonly prose: string;
  readonly blocks: readonly Block[];
}

const FOLDERS = ["docs", "packages", "examples", "bench", ".changeset"];

/** Every page that a reader may come to: README, CONTRIBUTING, docs and the pages beside code. */
export function readPages(): Page[] {
  const found = FOLDERS.flatMap((folder) => pagesBelow(join(root, folder)));
  const top = ["README.md", "CONTRIBUTING.md"].map((name) => join(root, name));
  return [...top, ...found].map((path) => parsePage(relative(root, path), readFileSync(path, "utf8")));
}

function pagesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return ["node_modules", "dist"].includes(entry.name) ? [] : pagesBelow(path);
    return entry.name.endsWith(".md") && entry.name !== "CHANGELOG.md" ? [path] : [];
  });
}

export function parsePage(path: string, text: string): Page {
  const blocks: Block[] = [];
  const prose: string[] = [];
  let open: { fence: string; line: number; info: string; lines: string[] } | undefined;
  for (const [index, line] of text.split("\n").entries()) {
    const fence = /^ {0,3}(`{3,}|~{3,})(.*)$/.exec(line);
    if (open === undefined && fence?.[1] !== undefined) {
      open = { fence: fence[1], line: index + 1, info: fence[2]?.trim() ?? "", lines: [] };
    } else if (open !== undefined && fence?.[1]?.startsWith(open.fence) === true && fence[2]?.trim() === "") {
      const [language = "", ...marks] = open.info.split(/\s+/);
      blocks.push({ page: path, line: open.line, language, marks, text: open.lines.join("\n") });
      open = undefined;
    } else if (open !== undefined) open.lines.push(line);
    prose.push(open === undefined && fence === null ? line : "");
  }
  if (open !== undefined) throw new Error(`${path}:${open.line} opens a block that never ends`);
  return { path, text, prose: prose.join("\n"), blocks };
}
