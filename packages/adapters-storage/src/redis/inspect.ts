import type { Cluster, Redis } from "ioredis";
import { openClient, openSubscriber } from "./connection-client.ts";
import { isOfPattern, missingRights } from "./inspect-rights.ts";
import { readInfo, warningsOf } from "./inspect-server.ts";
import type { RedisInspection, RedisProblem } from "./inspection.ts";
import {
  keySpace,
  type RedisBrokerOptions,
  type RedisClientLike,
  type ResolvedRedisOptions,
  resolveRedisOptions,
} from "./options.ts";
import { replyCode, toGatewayError } from "./redis-error.ts";

type Found = { -readonly [Key in keyof RedisInspection]: RedisInspection[Key] };

/**
 * Looks at the server as the broker would meet it, over connections of its own, and tries the rights it needs with
 * keys of its own that it removes again. Never throws for what it finds, wrong options included.
 */
export async function inspectRedis(options: RedisBrokerOptions): Promise<RedisInspection> {
  const problems: RedisProblem[] = [];
  const found = nothing(options.prefix ?? "modelgate", problems);
  let place = "Redis";
  let step: RedisProblem["step"] = "options";
  let close = (): void => {};
  try {
    const resolved = resolveRedisOptions(options);
    place = resolved.place;
    step = "connect";
    const since = performance.now();
    const { client, disconnect } = await open(resolved);
    close = disconnect;
    found.connectMs = performance.now() - since;
    found.isReached = true;
    found.tls = protocolOf(client);
    found.user = resolved.target.kind === "client" ? undefined : (resolved.target.username ?? "default");
    step = "server";
    await readServer(client, resolved, found);
    step = "rights";
    found.missingRights = await missingRights(client, resolved);
    step = "subscribe";
    const toListen = await missingToListen(resolved);
    found.missingRights = [...new Set([...found.missingRights, ...toListen])];
    found.warnings = warningsOf(found);
  } catch (error) {
    const { code, message, details } = toGatewayError(error, place);
    problems.push({ step, code, message, field: (details as { field?: string }).field });
  } finally {
    close();
  }
  return found;
}

async function open(
  resolved: ResolvedRedisOptions,
): Promise<{ client: RedisClientLike; disconnect: () => void }> {
  if (resolved.target.kind === "client") return { client: resolved.target.client, disconnect: () => {} };
  const client = await openClient(resolved);
  return { client, disconnect: () => client.disconnect() };
}

async function readServer(
  client: RedisClientLike,
  resolved: ResolvedRedisOptions,
  found: Found,
): Promise<void> {
  const info = await unlessRefused(askInfo(client, resolved));
  if (info !== undefined) Object.assign(found, readInfo(info));
  const isCluster = resolved.target.kind === "cluster" || (client as Partial<Cluster>).isCluster === true;
  if (isCluster) {
    const state = await unlessRefused(client.call("cluster", ["info"]) as Promise<string>);
    found.clusterState = state === undefined ? undefined : /cluster_state:(\w+)/.exec(state)?.[1];
  }
  const settings = await unlessRefused(configOf(client));
  found.isConfigHidden = settings === undefined;
  found.snapshots = settings?.get("save") === undefined ? undefined : settings.get("save") !== "";
  found.appendFsync = settings?.get("appendfsync");
}

/** By a script where it may be, as of a Cluster that asks the node which has our keys. */
async function askInfo(client: RedisClientLike, resolved: ResolvedRedisOptions): Promise<string> {
  if ((client as Partial<Cluster>).isCluster !== true) return (await client.call("info", [])) as string;
  const script = "return redis.call('INFO')";
  return (await client.call("eval", [script, 1, `${keySpace(resolved)}inspect`])) as string;
}

async function configOf(client: RedisClientLike): Promise<ReadonlyMap<string, string>> {
  const settings = new Map<string, string>();
  for (const name of ["save", "appendfsync"]) {
    const [, value] = (await client.call("config", ["get", name])) as string[];
    if (value !== undefined) settings.set(name, value);
  }
  return settings;
}

/** Hosted services refuse a command, or do not know it, where they do not let the user see. */
async function unlessRefused<T>(asked: Promise<T>): Promise<T | undefined> {
  return await asked.catch((error: unknown) => {
    const reply = replyCode(error);
    if (reply === "NOPERM" || reply === "ERR") return undefined;
    throw error;
  });
}

async function missingToListen(resolved: ResolvedRedisOptions): Promise<readonly string[]> {
  const subscriber = await openSubscriber(resolved, []);
  try {
    await subscriber.subscribe(`${keySpace(resolved)}wake:work`);
    return [];
  } catch (error) {
    if (replyCode(error) !== "NOPERM") throw error;
    return [isOfPattern(error) ? `&${keySpace(resolved)}*` : "+subscribe"];
  } finally {
    subscriber.disconnect();
  }
}

function protocolOf(client: RedisClientLike): string {
  const { nodes, stream } = client as unknown as Partial<Cluster> & Partial<Redis>;
  const one = nodes === undefined ? stream : (client as unknown as Cluster).nodes()[0]?.stream;
  return (one as { getProtocol?: () => string | null } | undefined)?.getProtocol?.() ?? "none";
}

function nothing(prefix: string, problems: RedisProblem[]): Found {
  return {
    isReached: false,
    connectMs: undefined,
    product: undefined,
    serverVersion: undefined,
    isSupported: undefined,
    user: undefined,
    tls: undefined,
    prefix,
    role: undefined,
    replicas: undefined,
    clusterState: undefined,
    evictionPolicy: undefined,
    maxMemoryBytes: undefined,
    usedMemoryBytes: undefined,
    appendOnly: undefined,
    appendFsync: undefined,
    snapshots: undefined,
    isConfigHidden: undefined,
    missingRights: undefined,
    problems,
    warnings: [],
  };
}
