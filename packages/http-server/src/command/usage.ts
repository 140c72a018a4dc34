import { flagOf, variableOf } from "./setting-names.ts";
import { SETTING_NAMES, type SettingName, settingsSchema } from "./settings-schema.ts";

export const generalUsage = `Usage: modelgate <command> [options]

Commands:
  serve      everything in one process: modelgate serve --server NAME=URL

Options:
  --help     this text; after a command, the command's own
  --version  the version
`;

const VALUES: Readonly<Partial<Record<SettingName, string>>> = {
  host: "ADDRESS",
  dataDir: "DIR",
  servers: "NAME=URL",
  retention: "AGES",
  logLevel: "LEVEL",
};

export function serveUsage(): string {
  const defaults = settingsSchema.parse({});
  const rows = SETTING_NAMES.map((name) => {
    const value = defaults[name];
    const shown = typeof value === "object" ? "" : ` (default ${String(value)})`;
    return [
      `--${flagOf(name)} ${VALUES[name] ?? "N"}`,
      `${settingsSchema.shape[name].description ?? ""}${shown}`,
    ] as const;
  });
  const others = [
    ["--config FILE", "a JSON file with the same settings as keys: dataDir, leaseMs, …"],
    ["--json-logs", "write log lines as JSON"],
    ["--help", "this text"],
  ] as const;
  const lines = [...rows, ...others].map(([flag, text]) => `  ${flag.padEnd(22)}${text}`);
  return `Usage: modelgate serve [options]

Runs a gateway with everything in one process and in one directory.

${lines.join("\n")}

Each is also an environment variable, such as ${variableOf("dataDir")}; flags come before variables, and these before the file.
`;
}
