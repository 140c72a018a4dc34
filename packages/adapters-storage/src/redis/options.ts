import { invalidOption, numberWithin } from "@modelgate/core/adapter";
import { placeOf, type RedisTarget, toTarget } from "./connection-target.ts";

/** What is used of a client of the `ioredis` package, a `Redis` or a `Cluster`, that is handed in. */
export interface RedisClientLike {
  readonly status: string;
  call(command: string, args: (string | Buffer | number)[]): Promise<unknown>;
  duplicate(): unknown;
}

/** How a server is spoken to over TLS. Texts are PEM. */
export interface RedisTlsOptions {
  /** Authorities to trust in place of the machine's. */
  readonly ca?: string | undefined;
  /** Our own certificate and its key, where the server asks for one. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The name that the server's certificate must have; the host of the address by default. */
  readonly serverName?: string | undefined;
  /** `false` takes any certificate. Default: true. */
  readonly verify?: boolean | undefined;
}

/** A primary that Sentinels name. */
export interface RedisSentinelOptions {
  readonly nodes: readonly { readonly host: string; readonly port?: number | undefined }[];
  /** The name by which the Sentinels know the primary. */
  readonly name: string;
  /** Of the Sentinels themselves; `username` and `password` beside are the primary's. */
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** To the Sentinels; `tls` beside is the primary's. Default: no TLS. */
  readonly tls?: boolean | RedisTlsOptions | undefined;
}

export interface RedisClusterOptions {
  /** Addresses as in `url`, all `redis://` or all `rediss://`; one that answers is enough to find the others. */
  readonly nodes: readonly string[];
}

/** One of `url`, `sentinels`, `cluster` and `client` says where Redis is. */
export interface RedisBrokerOptions {
  /** `redis://user:password@host:port/database`, or `rediss://…` for TLS. */
  readonly url?: string | undefined;
  readonly sentinels?: RedisSentinelOptions | undefined;
  readonly cluster?: RedisClusterOptions | undefined;
  /** A `Redis` or `Cluster` of ioredis that stays open at `close`, in place of everything about connections here. */
  readonly client?: RedisClientLike | undefined;
  /** In place of one in an address. */
  readonly username?: string | undefined;
  /** In place of one in an address; a function is asked at each connection. */
  readonly password?: string | (() => string | Promise<string>) | undefined;
  /** `true` verifies by the machine's authorities. Default: what the address says, else no TLS. */
  readonly tls?: boolean | RedisTlsOptions | undefined;
  /**
   * What all keys and channels begin with, in braces, so that a Cluster keeps them on one node: 1 to 64 of
   * `[A-Za-z0-9_.:-]`. Default: `modelgate`.
   */
  readonly prefix?: string | undefined;
  /** How long a connection may take to open, 1 to 600,000. Default: 5,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** How long a call may take, 10 to 600,000; the connection of one that takes longer is made anew. Default: 2,000. */
  readonly commandTimeoutMs?: number | undefined;
  /** Told in words, once for each thing, of what makes the queue less safe. Default: `process.emitWarning`. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

export interface ResolvedRedisOptions {
  readonly target: RedisTarget;
  /** Where Redis is, for messages: without user, password and database. */
  readonly place: string;
  readonly prefix: string;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  readonly onWarning: (message: string) => void;
}

const PREFIX = /^[A-Za-z0-9_.:-]{1,64}$/;

/** Fills in the defaults. Throws `INVALID_OPTIONS`, which names the field. */
export function resolveRedisOptions(options: RedisBrokerOptions): ResolvedRedisOptions {
  const { prefix = "modelgate", connectTimeoutMs = 5_000, commandTimeoutMs = 2_000 } = options;
  if (!PREFIX.test(prefix)) throw invalidOption("prefix", "must be 1 to 64 of A-Z, a-z, 0-9, _, ., : and -");
  const target = toTarget(options);
  return {
    target,
    place: placeOf(target),
    prefix,
    connectTimeoutMs: numberWithin("connectTimeoutMs", connectTimeoutMs, 1, 600_000),
    commandTimeoutMs: numberWithin("commandTimeoutMs", commandTimeoutMs, 10, 600_000),
    onWarning: options.onWarning ?? ((message) => process.emitWarning(message, "ModelgateRedisWarning")),
  };
}

/** Begins every key and channel; the braces make one slot of a Cluster of them. */
export function keySpace({ prefix }: Pick<ResolvedRedisOptions, "prefix">): string {
  return `{${prefix}}:`;
}
