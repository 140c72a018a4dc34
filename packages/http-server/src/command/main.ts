import { CommandError } from "./command-error.ts";
import type { CommandSpec } from "./command-spec.ts";
import { COMMANDS } from "./command-table.ts";
import { EXIT } from "./exit-codes.ts";
import { commandHelp, generalHelp } from "./help.ts";
import { suggestion } from "./nearest.ts";
import { readFlags } from "./read-flags.ts";
import { gather } from "./settings/gather.ts";
import { readSettings, trySettings } from "./settings/read-settings.ts";
import type { Environment } from "./settings/setting.ts";
import { UsageError } from "./usage-error.ts";

export interface CommandContext {
  readonly args: readonly string[];
  readonly environment: Environment;
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
      return await run(spec, { args: rest, environment });
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
  { args, environment }: Omit<CommandContext, "version">,
): Promise<number> {
  const flags = readFlags(spec, args);
  if (flags.help) return print(commandHelp(spec));
  const told = await gather(spec, flags, environment);
  const read = spec.takesProblems ? trySettings(told) : readSettings(told);
  const command = await spec.load();
  // Pools and timers of the parts keep no process alive, and one that only waits for them would end before its time.
  const hold = setInterval(() => {}, 2_147_483_647);
  try {
    return await command({ ...read, arguments: flags.arguments, options: flags.options });
  } finally {
    clearInterval(hold);
  }
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
