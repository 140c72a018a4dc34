import type { LoadedConfig } from "../settings/config-file/load-config.ts";
import type { Environment } from "../settings/setting.ts";

/** Where the CogStack Model Gateway is told which file has its settings. */
export const CMG_FILE_VARIABLE = "CONFIG_FILE";

/** Sections that only its file has. */
const OWN_SECTIONS = ["models", "labels", "tracking"];

/** Variables of its version before the file, which has no other sign than these. */
const EARLY_VARIABLES = ["CMS_HOST_URL", "CMS_PROJECT_NAME", "CMS_SERVER_PORT"];

/** The services whose variables make an environment one of its processes. */
const OF_SERVICES = /^CMG_(DB|OBJECT_STORE|QUEUE|SCHEDULER|RIPPER|GATEWAY|COMMON)_/;

/** Whether what a file holds are settings of the CogStack Model Gateway: names of ours have capitals, theirs underscores. */
export function isCmgFile(config: LoadedConfig | undefined): boolean {
  if (config === undefined || "problem" in config) return false;
  const { content } = config;
  if (typeof content !== "object" || content === null) return false;
  if (OWN_SECTIONS.some((section) => Object.hasOwn(content, section))) return true;
  const { cms } = content as { readonly cms?: unknown };
  return typeof cms === "object" && cms !== null && Object.keys(cms).some((key) => /_|^network$/.test(key));
}

/** Whether the environment is one of its processes: it names a file, or a service. */
export function isCmgEnvironment(environment: Environment): boolean {
  if ((environment[CMG_FILE_VARIABLE] ?? "") !== "") return true;
  if (isEarly(environment)) return true;
  return Object.entries(environment).some(
    ([name, value]) => OF_SERVICES.test(name) && value !== undefined && value !== "",
  );
}

/** Whether it is that of the version before the file, which called servers directly unless it was told otherwise. */
export function isEarly(environment: Environment): boolean {
  return EARLY_VARIABLES.some((name) => environment[name] !== undefined);
}
