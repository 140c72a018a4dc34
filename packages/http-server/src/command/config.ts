import type { Call } from "./command-spec.ts";
import { EXIT } from "./exit-codes.ts";
import { endWithReader, tell, writeJson, writeOut } from "./output/out.ts";
import { formatTable } from "./output/table.ts";
import { requireEachOf } from "./require-option.ts";
import { brokersOf } from "./settings/brokers.ts";
import { splitWarnings } from "./settings/check-settings.ts";
import { settingsOf } from "./settings/names.ts";
import { ROLE_NAMES, type RoleName } from "./settings/setting.ts";
import { type SettingName, type Settings, settingOf } from "./settings/settings.ts";

/** One setting as it is told. */
interface Row {
  readonly name: SettingName;
  readonly value: unknown;
  /** Where it comes from, in words. */
  readonly from: string;
}

/** Writes the settings of a role, and what is wrong with them. */
export async function config(call: Call): Promise<number> {
  endWithReader();
  if (call.options.has("from-cmg")) return (await import("./from-cmg/show-config.ts")).showConfig(call);
  const { options, settings, sources, problems } = call;
  requireEachOf(options, "role", ROLE_NAMES);
  const role = (options.get("role") ?? "serve") as RoleName;
  const warnings = [...call.warnings, ...splitWarnings(role, settings, sources)];
  const rows = settingsOf(role)
    .filter((name) => isInUse(name, settings) || sources.has(name))
    .map((name) => rowOf(name, settings, sources));
  if (options.has("json")) {
    const shown = Object.fromEntries(rows.map(({ name, value, from }) => [name, { value, from }]));
    await writeJson({ ok: problems.length === 0, role, settings: shown, problems, warnings });
  } else {
    const table = rows.map(({ name, value, from }) => [name, textOf(value), from]);
    await writeOut(formatTable([["SETTING", "VALUE", "FROM"], ...table]));
    for (const problem of problems) tell(`wrong: ${problem}`);
    for (const warning of warnings) tell(`warning: ${warning}`);
  }
  return options.has("check") && problems.length > 0 ? EXIT.usage : EXIT.ok;
}

/** Settings of what is not chosen say nothing. */
function isInUse(name: SettingName, settings: Settings): boolean {
  if (name === "docker.enabled" || name === "deployments.enabled") return true;
  switch (name.split(".", 1)[0]) {
    case "postgres":
      return settings.store === "postgres";
    case "s3":
      return settings.objects === "s3";
    case "redis":
    case "rabbitmq":
      return brokersOf(settings).some((kind) => name.startsWith(`${kind}.`));
    case "docker":
      return settings["docker.enabled"];
    case "mlflow":
      return settings["mlflow.url"] !== undefined;
    case "deployments":
    case "cms":
      return settings["deployments.enabled"];
    default:
      return true;
  }
}

function rowOf(name: SettingName, settings: Settings, sources: ReadonlyMap<SettingName, string>): Row {
  const { defaultText, isSecret, shown = () => "(secret)" } = settingOf(name);
  const value = settings[name];
  const source = sources.get(name);
  const isNothing = value === undefined || (Array.isArray(value) && value.length === 0);
  if (isNothing) return { name, value: null, from: `default: ${defaultText ?? "none"}` };
  return { name, value: isSecret === true ? shown(value) : value, from: source ?? "default" };
}

function textOf(value: unknown): string {
  if (value === null) return "-";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
