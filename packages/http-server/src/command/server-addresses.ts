import type { Settings } from "./settings/settings.ts";

/** A server that serves several models is one server. */
export function byAddress(servers: Settings["servers"]): { url: string; models: string[] }[] {
  const models = new Map<string, string[]>();
  for (const { name, url } of servers) {
    const { href } = new URL(url);
    models.set(href, [...(models.get(href) ?? []), name]);
  }
  return [...models].map(([url, names]) => ({ url, models: [...new Set(names)] }));
}
