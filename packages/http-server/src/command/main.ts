import { CommandError } from "./command-error.ts";
import type { CommandSpec } from "./command-spec.ts";
import { COMMANDS } from "./command-table.ts";
import { EXIT } from "./exit-codes.ts";
import { commandHelp, generalHelp } from "./help.ts";
import { suggestion } from "./nearest.ts";
import { readFlags } from "./read-flags.ts";
import { readSettings, trySettings } from "./settings/read-settings.ts";
import { UsageError } from "./usage-error.ts";

export interface CommandContext {
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly version: string;
}

/** Runs the command. Resolves to its exit code. */
export async function main({ args, environment, version }: CommandContext): Promise<number> {
  const [first, ...rest] = args;
  const named = first === "help" && rest[0] !== undefined ? rest[0] : first;
  const spec = COMMANDS.find(({ name }) => name === named);
  try {
    if (spec !== undefined) {
      if (first === "help" || rest[0] === "--help") return print(commandHelp(spec));
      if (rest[0] === "--version") return print(`${version}\n`);
      return await run(spec, rest, environment);
    }
    switch (named) {
      case "--version":
        return print(`${version}\n`);
      case "--help":
      case "-h":
      case "help":
        return print(generalHelp());
      case undefined:
        process.stderr.write(generalHelp());
        return EXIT.usage;
      default: {
        const known = [...COMMANDS.map(({ name }) => name), "--help", "--version"];
        throw new UsageError(`"${named}" is not a command.${suggestion(named, known)}`);
      }
    }
  } catch (error) {
    if (!(error instanceof CommandError)) return unexpected(error);
    process.stderr.write(`${error.message}\n`);
    if (error instanceof UsageError) {
      process.stderr.write(
        `modelgate ${spec === undefined ? "" : `${spec.name} `}--help lists what can be given.\n`,
      );
    }
    return error.exitCode;
  }
}

async function run(
  spec: CommandSpec,
  args: readonly string[],
  environment: CommandContext["environment"],
): Promise<number> {
  const flags = readFlags(spec, args);
  if (flags.help) return print(commandHelp(spec));
  const told = { command: spec.name, flags: flags.settings, config: flags.config, environment };
  const { settings, problems, warnings } = spec.takesProblems ? trySettings(told) : readSettings(told);
  const command = await spec.load();
  return command({ arguments: flags.arguments, options: flags.options, settings, problems, warnings });
}

/** The messages of errors that nobody expected may quote anything, so that only their kind and place are told. */
async function unexpected(error: unknown): Promise<number> {
  const { safeError } = await import("./safe-error.ts");
  const { error: kind, code, at } = safeError(error);
  const where = [kind, code, at].filter((part) => part !== undefined).join(" ");
  process.stderr.write(`Something failed in a way that nobody expected: ${where}\n`);
  return EXIT.failed;
}

function print(text: string): number {
  process.stdout.write(text);
  return EXIT.ok;
}
