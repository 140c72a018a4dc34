import type { RoutePattern } from "../exchange.ts";

export interface PathMatch {
  readonly pattern: RoutePattern;
  readonly params: readonly string[];
}

/** Finds the route of a path, with and without a slash at its end. */
export function pathMatcher(
  routes: readonly RoutePattern[],
  basePath: string,
): (path: string) => PathMatch | undefined {
  const compiled = routes.map((pattern) => {
    const parts = pattern.path.split("/").filter((part) => part !== "");
    const source = parts.map((part) => (part.startsWith(":") ? "/([^/]+)" : `/${part}`)).join("");
    return { pattern, expression: new RegExp(`^${basePath.replaceAll(".", "\\.")}${source}/?$`) };
  });
  return (path) => {
    for (const { pattern, expression } of compiled) {
      const found = expression.exec(path);
      if (found !== null) return { pattern, params: found.slice(1).map(decodePart) };
    }
    return undefined;
  };
}

function decodePart(part: string): string {
  if (!part.includes("%")) return part;
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
