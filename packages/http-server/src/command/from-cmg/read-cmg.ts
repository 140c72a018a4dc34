import type { LoadedConfig } from "../settings/config-file/load-config.ts";
import type { KeyName } from "../settings/names.ts";
import type { CommandName, Environment } from "../settings/setting.ts";
import { cmgDefaults } from "./defaults.ts";
import { isEarly } from "./detect.ts";
import type { CmgEntry, CmgSettings } from "./entries.ts";
import { readCmgFile } from "./read-file.ts";
import { readCmgVariables } from "./read-variables.ts";

export interface CmgSources {
  readonly command: CommandName;
  /** CMG's file. Absent where only its variables tell of it. */
  readonly file: LoadedConfig | undefined;
  readonly environment: Environment;
}

/** What CMG's file and variables say, in our words. */
export function readCmg({ command, file, environment }: CmgSources): CmgSettings {
  const hostPort = environment["CMG_HOST_PORT"] || undefined;
  const defaults = cmgDefaults({ isEarly: isEarly(environment), hostPort });
  const variables = readCmgVariables(environment, command);
  const warnings: string[] = [];
  const problems: string[] = [];
  const told = new Map<KeyName, CmgEntry>();
  if (file !== undefined && "content" in file) {
    const read = readCmgFile(file.content, file.path);
    warnings.push(...read.out.warnings);
    problems.push(...read.problems);
    for (const [name, entry] of read.out.entries) told.set(name, entry);
  } else if (file?.code === "ENOENT")
    warnings.push(`${file.path} is not there, so that CMG's defaults hold, as they do there.`);
  else if (file !== undefined) problems.push(file.problem);
  // Before any bucket of CMG's own, which are left as they are.
  if (variables.entries.has("s3.endpoint")) defaults.set("s3.bucket", "modelgate", "CMG_OBJECT_STORE_HOST");
  warnings.push(...variables.warnings, ...aboutProxy(new Map([...defaults.entries, ...told])));
  return {
    file: new Map([...defaults.entries, ...told]),
    variables: variables.entries,
    problems,
    warnings,
  };
}

/** CMG takes any certificate for good; here it is checked. */
function aboutProxy(entries: ReadonlyMap<KeyName, CmgEntry>): string[] {
  const { value, as } = entries.get("docker.proxyUrl") ?? { value: undefined, as: "" };
  if (typeof value !== "string" || !value.startsWith("https:")) return [];
  const where = as.startsWith("default") ? 'cms.host_url, which is "https://proxy/cms" by default,' : as;
  return [
    `${where} is https, and its certificate is checked: name the authority that signed it in NODE_EXTRA_CA_CERTS.`,
  ];
}
