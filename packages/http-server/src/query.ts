import type { Issue } from "./answers.ts";

/** A target such as `/a?b=c`, taken apart at its first question mark. Nothing is decoded. */
export function splitTarget(target: string): { readonly path: string; readonly query: string } {
  const at = target.indexOf("?");
  return at === -1 ? { path: target, query: "" } : { path: target.slice(0, at), query: target.slice(at + 1) };
}

/**
 * Takes every pair named `name` out of `query` and leaves the rest byte for byte as it is. `value` is the last one's,
 * as with every parameter that is not a list.
 */
export function takeParameter(
  query: string,
  name: string,
): { readonly value: string | undefined; readonly rest: string } {
  if (query === "") return { value: undefined, rest: query };
  let value: string | undefined;
  const others = query.split("&").filter((pair) => {
    if (nameOf(pair) !== name) return true;
    value = decode(pair.slice(pair.indexOf("=") === -1 ? pair.length : pair.indexOf("=") + 1));
    return false;
  });
  return value === undefined ? { value, rest: query } : { value, rest: others.join("&") };
}

/** Every parameter with its values in order. */
export function readParameters(query: string): ReadonlyMap<string, readonly string[]> {
  const parameters = new Map<string, string[]>();
  for (const pair of query === "" ? [] : query.split("&")) {
    const name = nameOf(pair);
    const at = pair.indexOf("=");
    const value = at === -1 ? "" : decode(pair.slice(at + 1));
    const values = parameters.get(name);
    if (values === undefined) parameters.set(name, [value]);
    else values.push(value);
  }
  return parameters;
}

export const TRUE_FORMS = new Set(["true", "t", "yes", "y", "on", "1"]);
export const FALSE_FORMS = new Set(["false", "f", "no", "n", "off", "0"]);

/** Reads booleans in pydantic's lax forms; absent ones are `false`. */
export function readBooleans<Name extends string>(
  query: string,
  names: readonly Name[],
): { readonly values: Readonly<Record<Name, boolean>>; readonly issues: readonly Issue[] } {
  const values = Object.fromEntries(names.map((name) => [name, false])) as Record<Name, boolean>;
  const issues: Issue[] = [];
  if (query === "") return { values, issues };
  for (const name of names) {
    const { value } = takeParameter(query, name);
    if (value === undefined) continue;
    const form = value.toLowerCase();
    if (TRUE_FORMS.has(form)) values[name] = true;
    else if (!FALSE_FORMS.has(form)) {
      issues.push({
        type: "bool_parsing",
        loc: ["query", name],
        msg: "Input should be a valid boolean, unable to interpret input",
        input: value,
      });
    }
  }
  return { values, issues };
}

function nameOf(pair: string): string {
  const end = pair.indexOf("=");
  return decode(end === -1 ? pair : pair.slice(0, end));
}

/** As forms are decoded; what is no valid encoding is taken as it stands. */
function decode(text: string): string {
  const spaced = text.replaceAll("+", " ");
  if (!spaced.includes("%")) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}
