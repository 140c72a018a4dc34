import type { Options } from "./command-spec.ts";
import { suggestion } from "./nearest.ts";
import { UsageError } from "./usage-error.ts";

/** A whole number; `undefined` when it was not given. Throws `UsageError`. */
export function requireNumber(
  options: Options,
  name: string,
  least: number,
  most: number,
): number | undefined {
  const given = options.get(name);
  if (given === undefined) return undefined;
  const value = /^\d{1,16}$/.test(given) ? Number(given) : Number.NaN;
  if (value >= least && value <= most) return value;
  const range = most === Number.MAX_SAFE_INTEGER ? `${least} on` : `${least} to ${most}`;
  throw new UsageError(`--${name} is "${given}"; give a whole number from ${range}.`);
}

/** Every value that was given, each one of `values`. Throws `UsageError`. */
export function requireEachOf(options: Options, name: string, values: readonly string[]): readonly string[] {
  const given = options.list(name);
  const wrong = given.find((value) => !values.includes(value));
  if (wrong === undefined) return given;
  throw new UsageError(`--${name} is "${wrong}"; give ${values.join(", ")}.${suggestion(wrong, values)}`);
}

export function requireGiven(options: Options, name: string): string {
  const given = options.get(name);
  if (given === undefined || given === "") throw new UsageError(`--${name} is missing.`);
  return given;
}

/** Pairs NAME=VALUE in the order in which they were given. */
export function requirePairs(options: Options, name: string): (readonly [string, string])[] {
  return options.list(name).map((pair) => {
    const at = pair.indexOf("=");
    if (at < 1) throw new UsageError(`--${name} is "${pair}"; give NAME=VALUE.`);
    return [pair.slice(0, at), pair.slice(at + 1)] as const;
  });
}
