import { readFileSync } from "node:fs";
import { CommandError } from "../command-error.ts";
import { EXIT } from "../exit-codes.ts";
import { whereToGive } from "../settings/names.ts";
import type { Settings } from "../settings/settings.ts";

type PemName = Extract<keyof Settings, `${string}.caFile` | `${string}.certFile` | `${string}.keyFile`>;

/** The text of a certificate or key; `undefined` when none is named. Throws `CommandError`. */
export function readPem(settings: Settings, name: PemName): string | undefined {
  const path = settings[name];
  if (path === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const { code = "unknown error" } = error as NodeJS.ErrnoException;
    throw unusable(name, path, `cannot be read (${code})`);
  }
  if (!text.includes("-----BEGIN "))
    throw unusable(name, path, "is not PEM, which has a line -----BEGIN …-----");
  return text;
}

function unusable(name: PemName, path: string, why: string): CommandError {
  return new CommandError(EXIT.failed, `${whereToGive(name)} names ${path}, which ${why}.`);
}
