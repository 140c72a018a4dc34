import { parseArgs } from "node:util";
import type { CommandSpec, Options } from "./command-spec.ts";
import { suggestion } from "./nearest.ts";
import { flagOf, type KeyName, keysOf, settingsOf } from "./settings/names.ts";
import { settingOf } from "./settings/settings.ts";
import { UsageError } from "./usage-error.ts";

export interface Flags {
  readonly settings: Readonly<Partial<Record<KeyName, string | readonly string[]>>>;
  readonly options: Options;
  readonly arguments: readonly string[];
  readonly config: string | undefined;
  readonly help: boolean;
}

/** What is known of one flag. */
interface Flag {
  readonly key?: KeyName;
  readonly short?: string | undefined;
  readonly takesValue: boolean;
  /** Whether it also stands alone, or takes a value after an equals sign only. */
  readonly isSwitch: boolean;
  readonly isList: boolean;
}

/** Reads what follows the name of a command. Throws `UsageError`. */
export function readFlags(spec: CommandSpec, args: readonly string[]): Flags {
  const flags = flagsOf(spec);
  const { tokens } = parseArgs({
    args: [...args],
    // Not strict, because its errors do not name the flag that was meant.
    strict: false,
    tokens: true,
    options: Object.fromEntries(
      [...flags].map(([name, { isSwitch, short }]) => [
        name,
        {
          type: isSwitch ? ("boolean" as const) : ("string" as const),
          ...(short !== undefined && { short }),
        },
      ]),
    ),
  });

  const values = new Map<string, string[]>();
  const found: string[] = [];
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") {
      found.push(token.value);
      continue;
    }
    const { name, rawName, value, inlineValue } = token;
    const flag = flags.get(name);
    if (flag === undefined) {
      const known = [...flags.keys()].map((each) => `--${each}`);
      throw new UsageError(`${rawName} is not a flag of ${spec.name}.${suggestion(rawName, known)}`);
    }
    if (!flag.takesValue && value !== undefined) throw new UsageError(`${rawName} takes no value.`);
    const isMissing = value === undefined || (inlineValue !== true && value.startsWith("--"));
    if (isMissing && !flag.isSwitch) throw new UsageError(`${rawName} needs a value.`);
    const before = flag.isList ? (values.get(name) ?? []) : [];
    values.set(name, [...before, value ?? "true"]);
  }
  requireArguments(spec, found, values.has("help"));

  const settings: Partial<Record<KeyName, string | readonly string[]>> = {};
  for (const [name, given] of values) {
    const { key, isList = false } = flags.get(name) ?? {};
    if (key !== undefined) settings[key] = isList ? given : (given[0] ?? "");
  }
  return {
    settings,
    options: {
      has: (name) => values.has(name),
      get: (name) => values.get(name)?.[0],
      list: (name) => values.get(name) ?? [],
    },
    arguments: found,
    config: values.get("config")?.[0],
    help: values.has("help"),
  };
}

function flagsOf(spec: CommandSpec): Map<string, Flag> {
  const flags = new Map<string, Flag>([
    ["config", { takesValue: true, isSwitch: false, isList: false }],
    ["help", { takesValue: false, isSwitch: true, isList: false, short: "h" }],
  ]);
  for (const { name: key, setting, isFile } of settingsOf(spec.name).flatMap(keysOf)) {
    const { kind } = settingOf(setting);
    const isSwitch = !isFile && kind.placeholder === undefined;
    const isList = !isFile && kind.isList === true;
    flags.set(flagOf(key, spec.name), { key, takesValue: true, isSwitch, isList });
  }
  for (const { name, value, short, isList = false } of spec.options) {
    const takesValue = value !== undefined;
    flags.set(name, { takesValue, isSwitch: !takesValue, isList, short });
  }
  return flags;
}

function requireArguments(spec: CommandSpec, found: readonly string[], isForHelp: boolean): void {
  const { least, most } = spec.arguments;
  const extra = found[most];
  if (extra !== undefined) throw new UsageError(`"${extra}" is not understood after ${spec.name}.`);
  if (found.length < least && !isForHelp) {
    throw new UsageError(
      `${spec.name} needs ${spec.forms[0]?.split(" ", 1)[0]}: modelgate ${spec.name} ${spec.forms[0]}`,
    );
  }
}
