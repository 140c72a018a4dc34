import { parseArgs } from "node:util";
import { suggestion } from "./nearest.ts";
import { FLAGS } from "./setting-names.ts";
import type { SettingName } from "./settings-schema.ts";
import { UsageError } from "./usage-error.ts";

export interface Flags {
  readonly settings: Readonly<Partial<Record<SettingName, string | readonly string[]>>>;
  readonly config: string | undefined;
  readonly jsonLogs: boolean;
  readonly help: boolean;
}

const SWITCHES = ["json-logs", "help"] as const;

/** Reads what follows `modelgate serve`. Throws `UsageError`. */
export function readFlags(args: readonly string[]): Flags {
  const valued = [...FLAGS.keys(), "config"];
  const { tokens } = parseArgs({
    args: [...args],
    // Not strict, because its errors do not name the flag that was meant.
    strict: false,
    tokens: true,
    options: {
      ...Object.fromEntries(valued.map((flag) => [flag, { type: "string" as const }])),
      ...Object.fromEntries(SWITCHES.map((flag) => [flag, { type: "boolean" as const }])),
      help: { type: "boolean", short: "h" },
    },
  });

  const settings: Partial<Record<SettingName, string | string[]>> = {};
  const switched = new Set<string>();
  let config: string | undefined;
  for (const token of tokens) {
    if (token.kind === "positional") throw new UsageError(`"${token.value}" is not understood after serve.`);
    if (token.kind === "option-terminator") continue;
    const { name, rawName, value, inlineValue } = token;
    if (SWITCHES.some((flag) => flag === name)) {
      if (value !== undefined) throw new UsageError(`${rawName} takes no value.`);
      switched.add(name);
      continue;
    }
    if (!valued.includes(name)) {
      const known = [...valued, ...SWITCHES].map((flag) => `--${flag}`);
      throw new UsageError(`${rawName} is not a flag.${suggestion(rawName, known)}`);
    }
    if (value === undefined || (inlineValue !== true && value.startsWith("--"))) {
      throw new UsageError(`${rawName} needs a value.`);
    }
    const setting = FLAGS.get(name);
    if (setting === undefined) config = value;
    else if (setting === "servers") settings.servers = [...(settings.servers ?? []), value];
    else settings[setting] = value;
  }
  return { settings, config, jsonLogs: switched.has("json-logs"), help: switched.has("help") };
}
