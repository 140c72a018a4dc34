import type { CommandSpec } from "./command-spec.ts";
import { COMMANDS } from "./command-table.ts";
import { flagOf, keysOf, settingsOf, variableOf } from "./settings/names.ts";
import type { CommandName } from "./settings/setting.ts";
import { type SettingName, settingOf } from "./settings/settings.ts";

export function generalHelp(): string {
  const rows = COMMANDS.map(({ name, summary }) => [name, summary] as const);
  return `Usage: modelgate <command> [options]

Commands:
${aligned(rows)}

Options:
${aligned([
  ["--help", "this text; after a command, the command's own"],
  ["--version", "the version"],
])}
`;
}

export function commandHelp(spec: CommandSpec): string {
  const { name, forms, text, options, examples } = spec;
  const settings = settingsOf(name);
  const ungrouped = settings.filter((setting) => groupOf(setting) === undefined);
  const groups = GROUPS.map(([prefix, title]): [string, readonly SettingName[]] => [
    title,
    settings.filter((setting) => groupOf(setting) === prefix),
  ]).filter(([, members]) => members.length > 0);
  const own = options.map((option): Row => {
    const flag = `${option.short === undefined ? "" : `-${option.short}, `}--${option.name}`;
    return [option.value === undefined ? flag : `${flag} ${option.value}`, option.text];
  });
  const others: Row[] = [
    ["--config FILE", "settings as keys of a file: .json, .jsonc, .yaml, .yml, .js, .mjs, .ts or .mts"],
    ["-h, --help", "this text"],
  ];
  return `${forms.map((form, at) => `${at === 0 ? "Usage:" : "      "} modelgate ${name} ${form}`).join("\n")}

${wrap(text, 100)}

Options:
${aligned([...own, ...ungrouped.map((each) => settingRow(each, name)), ...others])}
${groups.map(([title, members]) => `\n${title}:\n${aligned(members.map((each) => settingRow(each, name)))}\n`).join("")}
Examples:
${examples.map(([call, purpose]) => `  ${call}\n      ${purpose}`).join("\n")}

A setting is also an environment variable, such as ${variableOf("dataDir")}, and a key of the file. Flags come before
variables, and these before the file. ${secretsHelp(settings)}
`.replace(/ +\n$/, "\n");
}

function secretsHelp(settings: readonly SettingName[]): string {
  const secret = settings.find((name) => settingOf(name).isSecret);
  if (secret === undefined) return "";
  const [, file] = keysOf(secret);
  return file === undefined
    ? ""
    : `What is secret may be in a file of its own, such as --${flagOf(file.name)} FILE.`;
}

const GROUPS = [
  ["postgres.", "PostgreSQL"],
  ["redis.", "Redis or Valkey, where the queue or the wake-ups are there"],
  ["rabbitmq.", "RabbitMQ, where the queue or the wake-ups are there"],
  ["s3.", "S3"],
  ["docker.", "Docker"],
  ["deployments.", "Deployed servers"],
  ["cms.", "What a deployed CogStack ModelServe is told"],
  ["mlflow.", "MLflow"],
] as const;

function groupOf(name: SettingName): string | undefined {
  return GROUPS.map(([prefix]) => prefix).find((prefix) => name.startsWith(prefix));
}

type Row = readonly [string, string];

function settingRow(name: SettingName, command: CommandName): Row {
  const { kind, text, unit, default: fallback, defaultText } = settingOf(name);
  const flag = `--${flagOf(name, command)}`;
  // A switch that is on by default is of use with its other value alone.
  const value = kind.placeholder === undefined ? (fallback === true ? "=false" : "") : ` ${kind.placeholder}`;
  const shown =
    defaultText ?? (fallback === undefined ? "" : `${String(fallback)}${unit === "ms" ? " ms" : ""}`);
  const told = shown === "" || kind.placeholder === undefined ? text : `${text} (default ${shown})`;
  return [`${flag}${value}`, told.replaceAll("`", "")];
}

function aligned(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  return rows.map(([left, right]) => `  ${left.padEnd(width)}${right}`).join("\n");
}

function wrap(text: string, width: number): string {
  const lines: string[] = [""];
  for (const word of text.split(" ")) {
    const last = lines.at(-1) ?? "";
    if (last.length + word.length + 1 > width) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines.join("\n");
}
