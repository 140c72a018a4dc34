import { suggestion } from "./nearest.ts";
import { readFlags } from "./read-flags.ts";
import { readSettings } from "./read-settings.ts";
import { generalUsage, serveUsage } from "./usage.ts";
import { UsageError } from "./usage-error.ts";

export interface CommandContext {
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly version: string;
}

/** Runs the command until it is told to stop. Resolves to its exit code. */
export async function main({ args, environment, version }: CommandContext): Promise<number> {
  try {
    const [command, ...rest] = args;
    switch (command) {
      case "serve":
        return await runServe(rest, environment);
      case "--version":
        process.stdout.write(`${version}\n`);
        return 0;
      case "--help":
      case "-h":
      case "help":
        process.stdout.write(generalUsage);
        return 0;
      case undefined:
        process.stderr.write(generalUsage);
        return 2;
      default:
        throw new UsageError(
          `"${command}" is not a command.${suggestion(command, ["serve", "--help", "--version"])}`,
        );
    }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\nmodelgate serve --help lists what can be given.\n`);
    return 2;
  }
}

async function runServe(
  args: readonly string[],
  environment: CommandContext["environment"],
): Promise<number> {
  if (args[0] === "--version") return main({ args, environment, version: "" });
  const flags = readFlags(args);
  if (flags.help) {
    process.stdout.write(serveUsage());
    return 0;
  }
  const read = readSettings(flags, environment);
  const { serve } = await import("./serve.ts");
  return serve(read);
}
