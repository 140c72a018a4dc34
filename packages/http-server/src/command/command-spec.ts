import type { CommandName } from "./settings/setting.ts";
import type { SettingName, Settings } from "./settings/settings.ts";

/** A flag of one command that is no setting. */
export interface OptionSpec {
  readonly name: string;
  /** Stands for the value in a help text; absent for a flag that takes none. */
  readonly value?: string;
  readonly short?: string;
  readonly isList?: true;
  readonly text: string;
}

/** What a run of a command is told. */
export interface Call {
  readonly arguments: readonly string[];
  readonly options: Options;
  readonly settings: Settings;
  /** Where each setting that was told comes from, for people. */
  readonly sources: ReadonlyMap<SettingName, string>;
  /** Those that come from the CogStack Model Gateway's file, variables or defaults. */
  readonly fromCmg: ReadonlySet<SettingName>;
  /** What looks like a mistake in what was told, and is none for sure. */
  readonly warnings: readonly string[];
  /** What is wrong with the settings; always empty but for a command that looks into that. */
  readonly problems: readonly string[];
}

/** Values of the flags that are no settings. */
export interface Options {
  has(name: string): boolean;
  get(name: string): string | undefined;
  list(name: string): readonly string[];
}

export interface CommandSpec {
  readonly name: CommandName;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What may follow the name, in each form. */
  readonly forms: readonly string[];
  readonly text: string;
  /** How many arguments it takes. */
  readonly arguments: { readonly least: number; readonly most: number };
  readonly options: readonly OptionSpec[];
  /** Calls with what they are good for. */
  readonly examples: readonly (readonly [call: string, purpose: string])[];
  /** Wants to be run with settings that cannot be understood. */
  readonly takesProblems?: true;
  /** Resolves to what runs it, with its exit code; loaded by whoever calls this command alone. */
  readonly load: () => Promise<(call: Call) => Promise<number>>;
}
