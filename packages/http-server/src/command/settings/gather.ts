import type { CommandSpec } from "../command-spec.ts";
import { CMG_FILE_VARIABLE, isCmgEnvironment, isCmgFile } from "../from-cmg/detect.ts";
import type { CmgSettings } from "../from-cmg/entries.ts";
import type { CmgSources } from "../from-cmg/read-cmg.ts";
import type { Flags } from "../read-flags.ts";
import { loadConfig } from "./config-file/load-config.ts";
import { CONFIG_VARIABLE } from "./names.ts";
import type { Told } from "./read-settings.ts";
import type { Environment } from "./setting.ts";

type Spec = Pick<CommandSpec, "name">;
type Given = Pick<Flags, "settings" | "config" | "options">;

/** Everything that is told to a command: by flags, by variables and by files, those of the CogStack Model Gateway included. */
export async function gather({ name: command }: Spec, flags: Given, environment: Environment): Promise<Told> {
  // To see what CMG's settings come to, ours are left out.
  const asked = command === "config" ? flags.options.get("from-cmg") : undefined;
  if (asked !== undefined) {
    const file = await loadConfig(asked, true);
    const cmg = await readCmg({ command, file, environment });
    return { command, flags: {}, config: undefined, environment: {}, cmg };
  }
  const { settings } = flags;
  // A variable set to nothing is how many say that it is not set.
  const path = flags.config ?? (environment[CONFIG_VARIABLE] || undefined);
  const config = path === undefined ? undefined : await loadConfig(path);
  if (isCmgFile(config)) {
    const cmg = await readCmg({ command, file: config, environment });
    const warnings = [...cmg.warnings, ...otherFile(config?.path, environment)];
    return { command, flags: settings, config: undefined, environment, cmg: { ...cmg, warnings } };
  }
  if (!isCmgEnvironment(environment)) return { command, flags: settings, config, environment };
  const named = environment[CMG_FILE_VARIABLE] || undefined;
  const file = named === undefined ? undefined : await loadConfig(named, true);
  return {
    ...{ command, flags: settings, config, environment },
    cmg: await readCmg({ command, file, environment }),
  };
}

/** Most who start a gateway have never had another, and spare loading what reads its settings. */
async function readCmg(sources: CmgSources): Promise<CmgSettings> {
  const { readCmg: read } = await import("../from-cmg/read-cmg.ts");
  return read(sources);
}

function otherFile(path: string | undefined, environment: Environment): string[] {
  const other = environment[CMG_FILE_VARIABLE] || undefined;
  if (other === undefined || other === path) return [];
  return [
    `CONFIG_FILE names ${other}, which is not read: ${path} is CMG's file, too, and was named before it.`,
  ];
}
