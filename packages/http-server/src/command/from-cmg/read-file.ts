import { suggestion } from "../nearest.ts";
import { CmgEntries } from "./entries.ts";
import { FILE_GROUPS, FILE_KEYS, setTogether } from "./file-keys.ts";
import { FROM_VARIABLES } from "./unused.ts";

/** What CMG's file says, in our words. `problems` are where it says nothing that can be understood. */
export function readCmgFile(
  content: unknown,
  path: string,
): { readonly out: CmgEntries; readonly problems: readonly string[] } {
  const out = new CmgEntries();
  const given = new Map<string, unknown>();
  const problems: string[] = [];
  const at = (key: string): string => `"${key}" in ${path}`;
  if (!isPlainObject(content)) return { out, problems: [`${path} must hold one object of settings of CMG.`] };

  const visit = (object: Readonly<Record<string, unknown>>, above: string): void => {
    for (const [own, value] of Object.entries(object)) {
      const key = `${above}${own}`;
      // Its own example has null for what is left open, where it refuses null itself.
      if (value === null) continue;
      if (Object.hasOwn(FILE_KEYS, key)) given.set(key, value);
      else if (!FILE_GROUPS.has(key)) out.warn(strange(key, path));
      else if (isPlainObject(value)) visit(value, `${key}.`);
      else problems.push(`${at(key)} must be an object.`);
    }
  };
  visit(content, "");

  const unused = new Map<string, string[]>();
  for (const [key, value] of given) {
    const rule = FILE_KEYS[key];
    if (rule === undefined || "apart" in rule) continue;
    if ("unused" in rule) unused.set(rule.unused, [...(unused.get(rule.unused) ?? []), key]);
    // An empty text is CMG's way to say that there is none.
    else if (value !== "") out.set(rule.to, rule.turn === undefined ? value : rule.turn(value), at(key));
  }
  for (const [reason, keys] of unused) out.warn(`${listed(keys)} in ${path} has no use here: ${reason}.`);
  setTogether(given, out, at);
  setTracker(given, out, at);
  return { out, problems };
}

/**
 * Whom the gateway itself asks: an explicit `tracking` before that of the model servers. CMG has a flaw by which it
 * never follows the explicit one.
 */
function setTracker(given: ReadonlyMap<string, unknown>, out: CmgEntries, at: (key: string) => string): void {
  const isExplicit = [...given.keys()].some((key) => key.startsWith("tracking."));
  const uri = given.get("tracking.uri");
  const ofServers = given.get("cms.tracking.uri");
  if (isExplicit) {
    if (uri !== undefined && ofServers !== undefined && uri !== ofServers)
      out.warn(`${at("tracking.uri")} is asked by this gateway; CMG ignored it, and asked cms.tracking.uri.`);
    return;
  }
  const pairs = [
    ["cms.tracking.uri", "mlflow.url"],
    ["cms.tracking.username", "mlflow.username"],
    ["cms.tracking.password", "mlflow.password"],
  ] as const;
  for (const [key, ours] of pairs) {
    const value = given.get(key);
    if (value !== undefined && value !== "") out.set(ours, value, at(key));
  }
}

function strange(key: string, path: string): string {
  const [section = ""] = key.split(".", 1);
  const variables = Object.hasOwn(FROM_VARIABLES, section) ? FROM_VARIABLES[section] : undefined;
  if (variables !== undefined)
    return `"${key}" in ${path} is not read, as CMG does not read it: give its variables, ${variables}.`;
  return `"${key}" in ${path} is no setting of CMG, and is not used.${suggestion(key, Object.keys(FILE_KEYS))}`;
}

export function listed(names: readonly string[]): string {
  const last = names.at(-1) ?? "";
  return names.length < 2 ? last : `${names.slice(0, -1).join(", ")} and ${last}`;
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
