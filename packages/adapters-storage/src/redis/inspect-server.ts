import type { RedisInspection, RedisWarning } from "./inspection.ts";

type Facts = Pick<
  RedisInspection,
  | "product"
  | "serverVersion"
  | "isSupported"
  | "role"
  | "replicas"
  | "evictionPolicy"
  | "maxMemoryBytes"
  | "usedMemoryBytes"
  | "appendOnly"
>;

/** Redis 7 tells a script what it may not do, and takes ACL rules for channels and subcommands. */
const LEAST_MAJOR = 7;

/** What `INFO` says. Hosted services leave out some of it. */
export function readInfo(info: string): Facts {
  const fields = new Map<string, string>();
  for (const line of info.split("\r\n")) {
    const at = line.indexOf(":");
    if (at > 0) fields.set(line.slice(0, at), line.slice(at + 1));
  }
  const numberOf = (name: string): number | undefined => {
    const text = fields.get(name);
    return text === undefined ? undefined : Number(text);
  };
  const valkey = fields.get("valkey_version");
  const serverVersion = valkey ?? fields.get("redis_version");
  const role = fields.get("role");
  const appendOnly = fields.get("aof_enabled");
  return {
    product: serverVersion === undefined ? undefined : valkey === undefined ? "Redis" : "Valkey",
    serverVersion,
    isSupported: serverVersion === undefined ? undefined : Number.parseInt(serverVersion, 10) >= LEAST_MAJOR,
    role: role === undefined ? undefined : role === "master" ? "primary" : "replica",
    replicas: numberOf("connected_slaves"),
    evictionPolicy: fields.get("maxmemory_policy"),
    maxMemoryBytes: numberOf("maxmemory"),
    usedMemoryBytes: numberOf("used_memory"),
    appendOnly: appendOnly === undefined ? undefined : appendOnly === "1",
  };
}

/** What works and costs something. What is not known is not warned of. */
export function warningsOf(
  facts: Pick<
    RedisInspection,
    "product" | "serverVersion" | "isSupported" | "evictionPolicy" | "appendOnly"
  > &
    Partial<Pick<RedisInspection, "snapshots">>,
): RedisWarning[] {
  const warnings: RedisWarning[] = [];
  if (facts.isSupported === false)
    warnings.push({
      setting: "version",
      message: `${facts.product} ${facts.serverVersion} is older than what Modelgate is tried with`,
      mend: "use Redis 7.0 or newer, or Valkey",
    });
  // No key of ours ever expires, so that a policy that takes expiring keys only takes none of them.
  if (facts.evictionPolicy?.startsWith("allkeys-") === true)
    warnings.push({
      setting: "maxmemory-policy",
      message: `maxmemory-policy is ${facts.evictionPolicy}: when its memory is full, Redis throws the queue away, and its tasks start late`,
      mend: "set maxmemory-policy to noeviction, or use a Redis that is no cache",
    });
  if (facts.appendOnly === false && facts.snapshots !== true)
    warnings.push({
      setting: "appendonly",
      message:
        "Redis keeps no append-only file: after a restart of it every waiting task is enqueued again from the ledger, which takes some moments",
      mend: "set appendonly to yes, or accept it: nothing is lost",
    });
  return warnings;
}
