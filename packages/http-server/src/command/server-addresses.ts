import type { Settings } from "./settings/settings.ts";

export interface ServerAddress {
  readonly url: string;
  readonly models: string[];
  /** Slots; `undefined` leaves them to what the server says, or to a guess. */
  readonly limit: number | undefined;
}

/** A server that serves several models is one server, and has the least of what they say of its slots. */
export function byAddress(servers: Settings["servers"]): ServerAddress[] {
  const found = new Map<string, ServerAddress>();
  for (const { name, url, limit } of servers) {
    const { href } = new URL(url);
    const { models = [], limit: other } = found.get(href) ?? {};
    const limits = [limit, other].filter((each) => each !== undefined);
    found.set(href, {
      url: href,
      models: [...new Set([...models, name])],
      limit: limits.length === 0 ? undefined : Math.min(...limits),
    });
  }
  return [...found.values()];
}
