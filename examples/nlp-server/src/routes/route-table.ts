import type { FormRoute, InfoRoute, StreamRoute, WorkRoute } from "./model.ts";

export type Route =
  | { kind: "info"; route: InfoRoute }
  | { kind: "work"; route: WorkRoute }
  | { kind: "stream"; route: StreamRoute }
  | { kind: "form"; route: FormRoute };

export type Found = Route & {
  /** The path, with what may be anything in it named; by it requests are counted. */
  label: string;
  /** What stood at the end of a path that takes a name. */
  name: string;
};

type Entries<T> = readonly (readonly [path: string, route: T])[];

/** The routes of one server. A path that ends with `{name}` takes any last segment. */
export class RouteTable {
  readonly #routes = new Map<string, Route>();

  info(entries: Entries<InfoRoute>): this {
    for (const [path, route] of entries) this.#routes.set(path, { kind: "info", route });
    return this;
  }

  work(entries: Entries<WorkRoute>): this {
    for (const [path, route] of entries) this.#routes.set(path, { kind: "work", route });
    return this;
  }

  streams(entries: Entries<StreamRoute>): this {
    for (const [path, route] of entries) this.#routes.set(path, { kind: "stream", route });
    return this;
  }

  forms(entries: Entries<FormRoute>): this {
    for (const [path, route] of entries) this.#routes.set(path, { kind: "form", route });
    return this;
  }

  find(path: string): Found | undefined {
    const exact = this.#routes.get(path);
    if (exact) return { ...exact, label: path, name: "" };
    const cut = path.lastIndexOf("/") + 1;
    const [label, name] = [`${path.slice(0, cut)}{name}`, path.slice(cut)];
    const named = this.#routes.get(label);
    return named && name !== "" ? { ...named, label, name: decoded(name) } : undefined;
  }

  /** The same path with or without a slash at its end, where only that one is a route. */
  canonical(path: string): string | undefined {
    const other = path.endsWith("/") ? path.slice(0, -1) : `${path}/`;
    return this.#routes.has(path) || !this.#routes.has(other) ? undefined : other;
  }
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
