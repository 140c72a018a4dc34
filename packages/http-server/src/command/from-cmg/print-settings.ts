import { whereToGive } from "../settings/names.ts";
import { type SettingName, type Settings, settingOf } from "../settings/settings.ts";

export interface PrintedSettings {
  /** As a configuration file holds them. */
  readonly content: Readonly<Record<string, unknown>>;
  /** What was left out because it is secret, with the way to give it. */
  readonly notes: readonly string[];
}

/** Settings as a file of ours has them. Secrets are left out unless they are asked for. */
export function printSettings(
  names: Iterable<SettingName>,
  settings: Settings,
  showsSecrets: boolean,
): PrintedSettings {
  const content: Record<string, unknown> = {};
  const notes: string[] = [];
  for (const name of names) {
    const value = settings[name];
    const shown = showsSecrets ? value : withoutSecret(name, value);
    if (shown !== undefined) put(content, name.split("."), shown);
    if (shown !== value) notes.push(noteOf(name, shown !== undefined));
  }
  return { content, notes };
}

/** An address without a secret in it is none itself. */
function withoutSecret(name: SettingName, value: unknown): unknown {
  const { isSecret, shown } = settingOf(name);
  if (isSecret !== true) return value;
  if (shown === undefined || typeof value !== "string" || !URL.canParse(value)) return undefined;
  const url = new URL(value);
  if (url.password === "" && url.username === "" && url.search === "") return value;
  if (name !== "postgres.url" || url.search !== "") return undefined;
  // The password has a setting of its own.
  url.password = "";
  return url.href;
}

function noteOf(name: SettingName, isInPart: boolean): string {
  if (isInPart) return `the password of ${name} is secret: give ${whereToGive("postgres.password")}`;
  return `${name} is secret: give ${whereToGive(name)}, or ${name}File, the name of a file that holds it`;
}

function put(
  object: Record<string, unknown>,
  [first = "", ...rest]: readonly string[],
  value: unknown,
): void {
  if (rest.length === 0) {
    object[first] = value;
    return;
  }
  const inner = (object[first] ?? {}) as Record<string, unknown>;
  object[first] = inner;
  put(inner, rest, value);
}
