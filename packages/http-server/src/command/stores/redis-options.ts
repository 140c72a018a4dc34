import type { RedisBrokerOptions } from "@modelgate/adapters-storage/redis";
import { hostAndPort } from "../settings/redis-settings.ts";
import type { Settings } from "../settings/settings.ts";
import { brokerTls } from "./broker-tls.ts";

/** What the settings say of Redis, for its adapter. Throws `CommandError` for a file that cannot be read. */
export function redisOptions(settings: Settings): RedisBrokerOptions {
  const nodes = settings["redis.cluster.nodes"] ?? [];
  const tls = brokerTls(settings, "redis");
  return {
    url: settings["redis.url"],
    sentinels: sentinelsOf(settings),
    cluster: nodes.length === 0 ? undefined : { nodes },
    username: settings["redis.username"],
    password: settings["redis.password"],
    tls,
    prefix: settings["redis.prefix"],
    connectTimeoutMs: settings["redis.connectTimeoutMs"],
    commandTimeoutMs: settings["redis.commandTimeoutMs"],
  };
}

function sentinelsOf(settings: Settings): RedisBrokerOptions["sentinels"] {
  const nodes = (settings["redis.sentinels.nodes"] ?? []).flatMap((node) => hostAndPort(node) ?? []);
  if (nodes.length === 0) return undefined;
  return {
    nodes,
    name: settings["redis.sentinels.name"] ?? "",
    username: settings["redis.sentinels.username"],
    password: settings["redis.sentinels.password"],
    // Their certificates are of the same house as those of the primary.
    tls: settings["redis.sentinels.tls"] && (brokerTls(settings, "redis") || true),
  };
}
