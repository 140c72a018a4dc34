import { invalidOption } from "../option-checks.ts";
import type { ServerEntry } from "./server-entry.ts";

/** A server that somebody else runs, at an address that does not change. */
export interface StaticServer {
  /** Base address, http or https, with or without credentials and a path; no query. */
  readonly url: string;
  /** The one model that it serves. Either this or `models`. */
  readonly name?: string | undefined;
  /** The models that it serves. Either this or `name`. */
  readonly models?: readonly string[] | undefined;
  /** Slots. Default: unknown. */
  readonly limit?: number | undefined;
  /** The protocol that speaks to it. Default `cms`. */
  readonly protocol?: string | undefined;
  /**
   * The server's id. Default: host, port and path of the address (`medcat:8000`, `host:443/base`), which every
   * process that is given the same address derives alike. Host names are not resolved.
   */
  readonly id?: string | undefined;
}

const KEYS = new Set(["url", "name", "models", "limit", "protocol", "id"]);
const DEFAULT_PORTS: Readonly<Record<string, string>> = { "http:": "80", "https:": "443" };

/**
 * Checks every server of a list. Throws `INVALID_OPTIONS` that names the field (`servers[2].url`) and never quotes
 * a value, as an address may hold credentials.
 */
export function parseStaticServers(
  servers: readonly StaticServer[],
  isProtocol: (name: string) => boolean,
): readonly ServerEntry[] {
  if (!Array.isArray(servers)) throw invalidOption("servers", "must be a list");
  const fieldsById = new Map<string, string>();
  const fieldsByAddress = new Map<string, string>();
  return servers.map((server: StaticServer, index) => {
    const at = `servers[${index}]`;
    if (typeof server !== "object" || server === null) throw invalidOption(at, "must be an object");
    for (const key of Object.keys(server)) {
      if (!KEYS.has(key)) throw invalidOption(`${at}.${key}`, "is not a property of a server");
    }
    const { url, address } = parseAddress(`${at}.url`, server.url);
    claim(fieldsByAddress, address, `${at}.url`);
    const id = server.id === undefined ? address : text(`${at}.id`, server.id);
    claim(fieldsById, id, server.id === undefined ? `${at}.url` : `${at}.id`);
    const protocol = server.protocol === undefined ? "cms" : text(`${at}.protocol`, server.protocol);
    if (!isProtocol(protocol))
      throw invalidOption(`${at}.protocol`, "is not the name of a protocol that is there");
    return { id, url, models: parseModels(at, server), protocol, limit: parseLimit(at, server.limit) };
  });
}

function parseAddress(field: string, value: unknown): { url: string; address: string } {
  const given = text(field, value);
  if (!URL.canParse(given)) throw invalidOption(field, "is not an address");
  const url = new URL(given);
  const defaultPort = DEFAULT_PORTS[url.protocol];
  if (defaultPort === undefined) throw invalidOption(field, "must begin with http:// or https://");
  if (url.search !== "" || url.hash !== "")
    throw invalidOption(field, "must have neither a query nor a fragment");
  try {
    decodeURIComponent(`${url.username}:${url.password}`);
  } catch {
    throw invalidOption(field, "has credentials that are not percent-encoded as UTF-8");
  }
  if (decodeURIComponent(url.username).includes(":"))
    throw invalidOption(field, "has a user name with a colon");
  if (url.username === "" && url.password !== "")
    throw invalidOption(field, "has a password without a user name");
  const path = url.pathname.replace(/\/+$/, "");
  url.pathname = path;
  return {
    url: url.href.replace(/\/+$/, ""),
    address: `${url.hostname}:${url.port === "" ? defaultPort : url.port}${path}`,
  };
}

function parseModels(at: string, server: StaticServer): readonly string[] {
  const { name, models } = server;
  if (name !== undefined && models !== undefined)
    throw invalidOption(`${at}.models`, "cannot stand beside a name");
  if (name !== undefined) return [text(`${at}.name`, name)];
  if (!Array.isArray(models) || models.length === 0) throw invalidOption(`${at}.models`, "must name a model");
  const names = models.map((model, index) => text(`${at}.models[${index}]`, model));
  if (new Set(names).size < names.length) throw invalidOption(`${at}.models`, "names a model twice");
  return names;
}

function parseLimit(at: string, limit: unknown): number | undefined {
  if (limit === undefined) return undefined;
  if (typeof limit === "number" && Number.isInteger(limit) && limit >= 1) return limit;
  throw invalidOption(`${at}.limit`, "must be a whole number above 0");
}

function text(field: string, value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  throw invalidOption(field, "must be a text that is not empty");
}

function claim(fields: Map<string, string>, key: string, field: string): void {
  const other = fields.get(key);
  if (other !== undefined) throw invalidOption(field, `is the same as ${other}`);
  fields.set(key, field);
}
