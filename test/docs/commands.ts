import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./pages.ts";
import type { World } from "./world.ts";

const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  scripts: Record<string, string>;
};

/** What npm does by itself, and what other tests and `.ci/run` run whole. */
const NPM_OWN = /^npm (ci|install|test|init|pkg)\b/;

/** The command lines of a block in `sh`: lines that end in a backslash go on, comments go. */
export function commandLines(text: string): string[] {
  const lines = text.replaceAll(/\\\n\s*/g, " ").split("\n");
  return lines
    .map((line) => line.replace(/^\$ /, "").trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

/** The commands of a block in `console`, which begin with a dollar sign, and the output that is shown for each. */
export function shownCommands(text: string): { readonly line: string; readonly output: string }[] {
  const parts = text
    .replaceAll(/\\\n\s*/g, " ")
    .split(/^\$ /m)
    .slice(1);
  return parts.map((part) => {
    const end = part.indexOf("\n");
    return end === -1
      ? { line: part, output: "" }
      : { line: part.slice(0, end), output: part.slice(end + 1) };
  });
}

/** Why a command that is too long to be run here cannot be one, or `undefined`. `null`: it is to be run. */
export function faultOfLong(line: string): string | undefined | null {
  for (const part of line.split(" && ")) {
    const fault = faultOfPart(part.trim());
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function faultOfPart(part: string): string | undefined | null {
  if (part === "npm start" || /^npm start --/.test(part))
    return scripts["start"] === undefined ? "no such script" : undefined;
  if (NPM_OWN.test(part)) return undefined;
  const script = /^npm run ([\w:]+)/.exec(part)?.[1];
  if (script !== undefined)
    return scripts[script] === undefined ? `package.json has no script "${script}"` : undefined;
  const file = /^(?:node(?: --[\w-]+(?:=\S+)?)* )?((?:bench|scripts|packages|examples|\.ci)\/\S+)/.exec(
    part,
  )?.[1];
  if (file !== undefined) return existsSync(join(root, file)) ? undefined : `there is no ${file}`;
  const tool = /^npx (vitest|changeset|biome|knip|turbo)\b/.exec(part)?.[1];
  if (tool !== undefined)
    return existsSync(join(root, "node_modules/.bin", tool)) ? undefined : `${tool} is not installed`;
  return null;
}

/** The line with the addresses, ids and folders of this world in place of the page's. */
export function inWorld(line: string, world: World): string {
  return line
    .replaceAll(/npx (?:--package \S+ )?modelgate\b/g, "modelgate")
    .replaceAll(/http:\/\/(?:127\.0\.0\.1|localhost):8888/g, world.gatewayUrl)
    .replaceAll(/http:\/\/(?:127\.0\.0\.1|localhost):8001/g, world.serverUrl)
    .replaceAll(
      /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\bTASK_ID\b/g,
      world.endedTask,
    )
    .replaceAll(/\/(?:var\/lib|etc|srv)\/modelgate/g, join(world.folder, "elsewhere"));
}
