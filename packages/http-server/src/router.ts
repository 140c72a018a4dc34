import { invalidField, methodNotAllowed, notFound, problem } from "./answers.ts";
import type { ResponseView, Route, RoutePattern } from "./exchange.ts";

/** Longest path with its query. Node's own limit on all headers together is set above it. */
const MAX_TARGET = 16 * 1024;
const MAX_QUERY_KEYS = 1_000;

/** What is to be done with a request: a route with the decoded parts of the path, or a refusal. */
export type Found =
  | {
      readonly route: Route;
      readonly params: readonly string[];
      /** Whether the path is one of those that a `*` stands for. */
      readonly isRest: boolean;
    }
  | { readonly route: undefined; readonly refusal: ResponseView };

/** Finds the route of a request, with and without a slash at the end of its path. Both parts are as they came. */
export type Router = (method: string, path: string, query: string) => Found;

const unknownPath: Found = { route: undefined, refusal: notFound };

/** Tells a path that is none of the API's from one that is refused. */
export function isUnknownPath(found: Found): boolean {
  return found === unknownPath;
}

export function createRouter(routes: readonly RoutePattern[], basePath: string): Router {
  const compiled = routes.map((route) => compile(route, basePath));
  return (method, path, query) => {
    if (path.length + query.length >= MAX_TARGET) return refused(targetTooLong());
    for (const { methods, names, expression, hasRest } of compiled) {
      const matched = expression.exec(path);
      if (matched === null) continue;
      const route = methods[(method === "HEAD" ? "GET" : method) as "GET"] ?? methods["*"];
      if (route === undefined) return refused(methodNotAllowed(Object.keys(methods)));
      if (hasTooManyKeys(query)) return refused(tooManyKeys());
      const params = matched.slice(1, names.length + 1).map(decodePart);
      const undecoded = params.indexOf(undefined);
      if (undecoded !== -1) return refused(badEncoding(names[undecoded] ?? "path"));
      if (hasRest) params.push(matched[names.length + 1] ?? "");
      return { route, params: params as string[], isRest: hasRest };
    }
    return unknownPath;
  };
}

interface CompiledRoute extends Pick<RoutePattern, "methods"> {
  readonly names: readonly string[];
  /** Whether the last group is what `*` stands for, slashes and all. */
  readonly hasRest: boolean;
  readonly expression: RegExp;
}

function compile({ path, methods }: RoutePattern, basePath: string): CompiledRoute {
  const parts = path.split("/").filter((part) => part !== "" && part !== "*");
  const source = parts.map((part) => (part.startsWith(":") ? "/([^/]+)" : `/${part}`)).join("");
  const names = parts.filter((part) => part.startsWith(":")).map((part) => part.slice(1));
  const hasRest = path.endsWith("/*");
  const end = hasRest ? "(/.+)" : "/?";
  const expression = new RegExp(`^${basePath.replaceAll(".", "\\.")}${source}${end}$`);
  // A method is any word, also one that every object has as a key.
  return { methods: Object.assign(Object.create(null), methods), names, hasRest, expression };
}

function refused(refusal: ResponseView): Found {
  return { route: undefined, refusal };
}

function targetTooLong(): ResponseView {
  return problem(414, `The path and its query may have ${MAX_TARGET} bytes together.`);
}

function badEncoding(name: string): ResponseView {
  return problem(400, `The ${name} in the path is not percent-encoded UTF-8; write a percent sign as %25.`, {
    code: "INVALID_REQUEST",
  });
}

function tooManyKeys(): ResponseView {
  return invalidField(["query"], `A query may have ${MAX_QUERY_KEYS} parameters at most`, {
    type: "too_long",
    ctx: { max_length: MAX_QUERY_KEYS },
  });
}

function hasTooManyKeys(query: string): boolean {
  if (query.length < MAX_QUERY_KEYS) return false;
  let count = 1;
  for (let at = query.indexOf("&"); at !== -1; at = query.indexOf("&", at + 1)) count += 1;
  return count > MAX_QUERY_KEYS;
}

function decodePart(part: string): string | undefined {
  if (!part.includes("%")) return part;
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
