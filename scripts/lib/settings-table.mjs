// The table of all settings in docs/reference/configuration.md, made from the settings themselves. They are TypeScript,
// which not every Node reads, so that they are bundled first.
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const source = new URL("../../packages/http-server/", import.meta.url);
const BEGIN = "<!-- settings -->";
const END = "<!-- /settings -->";
const HEAD = [
  "| key | flag | variable | value | default | secret | taken by | what it is |",
  "| --- | --- | --- | --- | --- | --- | --- | --- |",
];

/** The page with its table as it should be; the rest of it is written by hand. */
export async function configurationPage(file) {
  const page = readFileSync(file, "utf8");
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (after === undefined) throw new Error(`${fileURLToPath(file)} has no ${BEGIN} … ${END}`);
  const { settings, names } = await loadSettings();
  const rows = settings.SETTING_NAMES.map((name) => rowOf(name, settings.settingOf(name), names));
  return `${before}${BEGIN}\n${[...HEAD, ...rows].join("\n")}\n${END}${after}`;
}

async function loadSettings() {
  const folder = fileURLToPath(new URL(`node_modules/.cache/settings-${process.pid}/`, source));
  const own = (name) => fileURLToPath(new URL(`src/command/settings/${name}.ts`, source));
  try {
    await build({
      entryPoints: [own("settings"), own("names")],
      bundle: true,
      splitting: true,
      format: "esm",
      platform: "node",
      packages: "external",
      outdir: folder,
      outExtension: { ".js": ".mjs" },
    });
    const load = (name) => import(pathToFileURL(join(folder, `${name}.mjs`)).href);
    return { settings: await load("settings"), names: await load("names") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function rowOf(name, { kind, text, unit, default: fallback, defaultText, isSecret, commands }, names) {
  const plain = fallback === undefined ? "" : `\`${String(fallback)}\``;
  const cells = [
    `\`${name}\``,
    `\`--${names.flagOf(name, commands[0])}\``,
    `\`${names.variableOf(name)}\``,
    unit === undefined ? kind.type : `${kind.type}, in ${unit}`,
    defaultText ?? plain,
    isSecret ? "yes" : "",
    takenBy(commands),
    text,
  ];
  return `| ${cells.join(" | ")} |`;
}

const ROLES = ["serve", "gateway", "scheduler", "reaper"];

function takenBy(commands) {
  const isEveryRole = ROLES.every((role) => commands.includes(role));
  const roles = isEveryRole ? ["roles"] : ROLES.filter((role) => commands.includes(role));
  const others = ["sweep", "backup", "migrate"].filter((command) => commands.includes(command));
  return [...roles, ...others, ...(commands.includes("tasks") ? ["clients"] : [])].join(", ");
}
