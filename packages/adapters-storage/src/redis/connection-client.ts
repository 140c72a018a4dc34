import { GatewayError } from "@modelgate/core";
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from "ioredis";
import type { RedisTarget, ServerAddress } from "./connection-target.ts";
import type { RedisClientLike, RedisTlsOptions, ResolvedRedisOptions } from "./options.ts";
import { replyCode } from "./redis-error.ts";

export type OwnClient = Redis | Cluster;

/** Replies as they are in version 2 of the protocol, which the type of a client depends on. */
type LegacyOptions = RedisOptions & { replyMapping?: "legacy" };

/**
 * Opens one client, which ends with its first loss: what comes after is ours to decide, as only so the password is
 * asked anew and each loss is seen. Rejects with what the server or the driver said.
 */
export async function openClient(options: ResolvedRedisOptions): Promise<OwnClient> {
  const client = await connected(await newClient(options), options);
  if (client instanceof Redis) await refuseReplica(client);
  return client;
}

/** A Sentinel that is behind may name it. Without the right to ask, the first write tells. */
async function refuseReplica(client: Redis): Promise<void> {
  const replication = await client.info("replication").catch((error: unknown) => {
    if (replyCode(error) === "NOPERM") return "";
    client.disconnect();
    throw error;
  });
  if (!/^role:slave/m.test(replication)) return;
  client.disconnect();
  throw new Error("READONLY it is a replica");
}

/** A client of one server alone, as pub/sub needs it: of a Cluster one of its nodes, as each hears what all others do. */
export async function openSubscriber(
  options: ResolvedRedisOptions,
  known: readonly ServerAddress[],
): Promise<Redis> {
  const { target } = options;
  if (target.kind === "client") return await connected(duplicate(target.client, options), options);
  if (target.kind !== "cluster") return (await openClient(options)) as Redis;
  const nodes = [...known, ...target.nodes];
  const address = nodes[Math.floor(Math.random() * nodes.length)] as ServerAddress;
  const own = { kind: "server", address, database: 0 } as const;
  return (await openClient({ ...options, target: { ...target, ...own } })) as Redis;
}

/** Neither it nor anything else that comes later may end the process. */
async function connected<T extends OwnClient>(
  client: T,
  { connectTimeoutMs }: ResolvedRedisOptions,
): Promise<T> {
  let reason: unknown;
  client.on("error", (error: unknown) => {
    reason ??= error;
  });
  client.on("node error", (error: unknown) => {
    reason ??= error;
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(reason ?? new Error("no answer in time")), connectTimeoutMs);
  });
  try {
    // Where a Cluster is not whole, the promise of its client never settles.
    const ended = new Promise<never>((_resolve, reject) => {
      client.once("end", () => reject(new Error("CLUSTERDOWN it is not ready")));
    });
    await Promise.race([client.connect(), late, ended]);
    return client;
  } catch (error) {
    client.disconnect();
    throw reason ?? error;
  } finally {
    clearTimeout(timer);
  }
}

async function newClient(options: ResolvedRedisOptions): Promise<OwnClient> {
  const target = options.target as Exclude<RedisTarget, { kind: "client" }>;
  const password = await passwordOf(target.password, options.place);
  const common: LegacyOptions = {
    ...sessionOptions(options),
    ...(target.username !== undefined && { username: target.username }),
    ...(password !== undefined && { password }),
    ...(target.tls !== undefined && { tls: toTls(target.tls) }),
  };
  if (target.kind === "server") return new Redis({ ...common, ...target.address, db: target.database });
  if (target.kind === "cluster") return new Cluster([...target.nodes], clusterOptions(common, options));
  const { name, username, password: sentinelPassword, tls = false } = target.sentinels;
  return new Redis({
    ...common,
    sentinels: [...target.nodes],
    name,
    sentinelRetryStrategy: () => null,
    sentinelCommandTimeout: options.connectTimeoutMs,
    enableTLSForSentinelMode: target.tls !== undefined,
    ...(username !== undefined && { sentinelUsername: username }),
    ...(sentinelPassword !== undefined && { sentinelPassword }),
    ...(tls !== false && { sentinelTLS: toTls(tls === true ? {} : tls) }),
  });
}

/** What every client of ours has: it ends with its connection, so that nothing is queued, and nothing sent twice. */
function sessionOptions({ connectTimeoutMs, commandTimeoutMs }: ResolvedRedisOptions): LegacyOptions {
  return {
    lazyConnect: true,
    retryStrategy: () => null,
    enableOfflineQueue: false,
    // It would write to the console where INFO is not allowed; the connection asks by itself.
    enableReadyCheck: false,
    // CLIENT SETINFO needs a right of its own, and is unknown before Redis 7.2.
    disableClientInfo: true,
    // Replies of version 3 bring nothing here, and proxies know version 2.
    protocol: 2,
    connectTimeout: connectTimeoutMs,
    // A server that hangs, and a network that forgot the connection, answer nothing: then it is broken off.
    socketTimeout: commandTimeoutMs,
  };
}

function clusterOptions(
  common: LegacyOptions,
  options: ResolvedRedisOptions,
): ClusterOptions & { redisOptions: LegacyOptions } {
  const { lazyConnect: _, retryStrategy: __, enableOfflineQueue: ___, ...redisOptions } = common;
  return {
    lazyConnect: true,
    clusterRetryStrategy: () => null,
    enableOfflineQueue: false,
    enableReadyCheck: true,
    slotsRefreshTimeout: options.connectTimeoutMs,
    // Often enough to follow a failover, and over within the time that a call may take.
    retryDelayOnFailover: 100,
    maxRedirections: Math.max(4, Math.ceil(options.commandTimeoutMs / 100)),
    redisOptions,
  };
}

function duplicate(client: RedisClientLike, options: ResolvedRedisOptions): Redis {
  const nodes = nodesOf(client);
  const one = nodes[Math.floor(Math.random() * nodes.length)] ?? (client as unknown as Redis);
  const { disableClientInfo: _, protocol: __, connectTimeout: ___, ...session } = sessionOptions(options);
  return one.duplicate({ ...session, readOnly: false });
}

/** What a function of the caller's throws may hold anything. */
async function passwordOf(
  password: string | (() => string | Promise<string>) | undefined,
  place: string,
): Promise<string | undefined> {
  if (typeof password !== "function") return password;
  try {
    return await password();
  } catch {
    throw new GatewayError("STORE_UNAVAILABLE", `${place}: the function that is given as password failed`, {
      details: { adapter: "redis", field: "password" },
    });
  }
}

function toTls(tls: RedisTlsOptions): NonNullable<RedisOptions["tls"]> {
  const { ca, cert, key, serverName, verify = true } = tls;
  return {
    rejectUnauthorized: verify,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(serverName !== undefined && { servername: serverName }),
  };
}

/** Of a Cluster. */
export function addressesOf(client: OwnClient | undefined): readonly ServerAddress[] {
  if (client === undefined) return [];
  return nodesOf(client).flatMap(({ options: { host, port } }) => (host && port ? [{ host, port }] : []));
}

function nodesOf(client: RedisClientLike): readonly Redis[] {
  return (client as { nodes?(): readonly Redis[] }).nodes?.() ?? [];
}
