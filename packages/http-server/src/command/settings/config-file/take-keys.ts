import { suggestion } from "../../nearest.ts";
import { KEYS, type Key } from "../names.ts";

/** A key of a configuration file, and what it has there. */
export interface TakenKey {
  readonly key: Key;
  readonly value: unknown;
}

/** Sorts what a configuration file holds into keys; `problems` say what is none, and quote no value. */
export function takeKeys(content: unknown, path: string): { taken: TakenKey[]; problems: string[] } {
  const taken: TakenKey[] = [];
  const problems: string[] = [];
  if (!isPlainObject(content)) {
    return { taken, problems: [`The configuration file ${path} must hold one object of settings.`] };
  }
  const visit = (object: Readonly<Record<string, unknown>>, above: string): void => {
    for (const [own, value] of Object.entries(object)) {
      const name = `${above}${own}`;
      const key = own.includes(".") ? undefined : KEYS.get(name);
      // `docker: true` is short for `docker: { enabled: true }`.
      const enabling = KEYS.get(`${name}.enabled`);
      if (key !== undefined) {
        // Many write null for what they leave open.
        if (value !== null && value !== undefined) taken.push({ key, value });
      } else if (!isGroup(name)) problems.push(unknownKey(name, path));
      else if (isPlainObject(value)) visit(value, `${name}.`);
      else if (typeof value === "boolean" && enabling !== undefined) taken.push({ key: enabling, value });
      else if (value !== null && value !== undefined)
        problems.push(`"${name}" in ${path} must be an object with the keys ${membersOf(name).join(", ")}.`);
    }
  };
  visit(content, "");
  return { taken, problems };
}

function unknownKey(name: string, path: string): string {
  if (KEYS.has(name)) {
    const levels = name.split(".");
    const nested = levels.reduceRight((inner, level) => `{"${level}": ${inner}}`, "…");
    return `${path} has "${name}" as one key; write it as ${nested}.`;
  }
  return `${path} has an unknown key "${name}".${suggestion(name, KEYS.keys())}`;
}

function isGroup(name: string): boolean {
  return membersOf(name).length > 0;
}

function membersOf(group: string): string[] {
  const members = [...KEYS.keys()].filter((name) => name.startsWith(`${group}.`));
  return [...new Set(members.map((name) => name.slice(group.length + 1).split(".", 1)[0] ?? ""))];
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
