import { invalidOption } from "@modelgate/core/adapter";
import type {
  RedisBrokerOptions,
  RedisClientLike,
  RedisSentinelOptions,
  RedisTlsOptions,
} from "./options.ts";

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

interface Credentials {
  readonly username: string | undefined;
  readonly password: string | (() => string | Promise<string>) | undefined;
  readonly tls: RedisTlsOptions | undefined;
}

/** Where Redis is, and as whom it is spoken to. */
export type RedisTarget =
  | ({ readonly kind: "server"; readonly address: ServerAddress; readonly database: number } & Credentials)
  | ({
      readonly kind: "sentinels";
      readonly nodes: readonly ServerAddress[];
      readonly sentinels: RedisSentinelOptions;
    } & Credentials)
  | ({ readonly kind: "cluster"; readonly nodes: readonly ServerAddress[] } & Credentials)
  | { readonly kind: "client"; readonly client: RedisClientLike };

const PORT = 6_379;
const SENTINEL_PORT = 26_379;

/** Throws `INVALID_OPTIONS`, which names the field and never what is in an address. */
export function toTarget(options: RedisBrokerOptions): RedisTarget {
  const given = (["url", "sentinels", "cluster", "client"] as const).filter(
    (field) => options[field] !== undefined,
  );
  if (given.length === 0) throw invalidOption("url", "is missing; give url, sentinels, cluster or client");
  if (given.length > 1)
    throw invalidOption(given[1] ?? "", `cannot stand beside ${given[0]}; give one of them`);
  const { url, sentinels, cluster, client } = options;
  if (client !== undefined) return { kind: "client", client: checkClient(client) };
  if (sentinels !== undefined) {
    if (typeof sentinels.name !== "string" || sentinels.name === "")
      throw invalidOption("sentinels.name", "must be the name by which the Sentinels know the primary");
    const nodes = sentinels.nodes.map(({ host, port }) => ({ host, port: port ?? SENTINEL_PORT }));
    if (nodes.length === 0) throw invalidOption("sentinels.nodes", "must have at least one Sentinel");
    const own = { username: options.username, password: options.password, tls: toTls(options.tls) };
    return { kind: "sentinels", nodes, sentinels, ...own };
  }
  if (cluster !== undefined) {
    const parsed = cluster.nodes.map((node) => parse(node, "cluster.nodes"));
    const [first] = parsed;
    if (first === undefined) throw invalidOption("cluster.nodes", "must have at least one address");
    if (parsed.some(({ isTls }) => isTls !== first.isTls))
      throw invalidOption("cluster.nodes", "must begin with redis://, all of them, or with rediss://");
    if (parsed.some(({ database }) => database !== 0))
      throw invalidOption("cluster.nodes", "must name no database; a Cluster has only one");
    const nodes = parsed.map(({ address }) => address);
    return { kind: "cluster", nodes, ...credentials(options, first) };
  }
  const address = parse(url ?? "", "url");
  return {
    kind: "server",
    address: address.address,
    database: address.database,
    ...credentials(options, address),
  };
}

/** For messages: without user and password. */
export function placeOf(target: RedisTarget): string {
  switch (target.kind) {
    case "server":
      return `Redis at ${toText(target.address)}`;
    case "sentinels":
      return `Redis primary ${target.sentinels.name} of the Sentinels at ${target.nodes.map(toText).join(", ")}`;
    case "cluster":
      return `Redis Cluster at ${target.nodes.map(toText).join(", ")}`;
    case "client":
      return "Redis of the client that was handed in";
  }
}

function toText({ host, port }: ServerAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

interface ParsedAddress {
  readonly address: ServerAddress;
  readonly isTls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
}

function parse(text: string, field: string): ParsedAddress {
  const form = "must be redis://user:password@host:port/database, where what is special is written as %XX";
  try {
    const url = new URL(text);
    const database = url.pathname.replace("/", "") || "0";
    const isOurs = url.protocol === "redis:" || url.protocol === "rediss:";
    if (!isOurs || url.hostname === "" || !/^\d{1,6}$/.test(database)) throw new TypeError();
    const host = decodeURIComponent(url.hostname).replace(/^\[|\]$/g, "");
    return {
      address: { host, port: url.port === "" ? PORT : Number(url.port) },
      isTls: url.protocol === "rediss:",
      username: decodeURIComponent(url.username) || undefined,
      password: decodeURIComponent(url.password) || undefined,
      database: Number(database),
    };
  } catch {
    throw invalidOption(field, form);
  }
}

function credentials(options: RedisBrokerOptions, address: ParsedAddress): Credentials {
  return {
    username: options.username ?? address.username,
    password: options.password ?? address.password,
    tls: toTls(options.tls ?? address.isTls),
  };
}

function toTls(tls: boolean | RedisTlsOptions | undefined): RedisTlsOptions | undefined {
  if (tls === undefined || tls === false) return undefined;
  return tls === true ? {} : tls;
}

function checkClient(client: RedisClientLike): RedisClientLike {
  const { call, duplicate, options } = client as Partial<RedisClientLike> & {
    options?: { keyPrefix?: unknown };
  };
  if (typeof call !== "function" || typeof duplicate !== "function")
    throw invalidOption("client", "must be a Redis or a Cluster of the ioredis package");
  // It would be put before the keys and not before the channels.
  if (options?.keyPrefix) throw invalidOption("client", "must have no keyPrefix; set prefix here");
  return client;
}
