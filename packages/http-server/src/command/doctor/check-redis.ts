import type { RedisInspection } from "@modelgate/adapters-storage/redis";
import { printable } from "../output/printable.ts";
import { queueKind } from "../settings/brokers.ts";
import { whereToGive } from "../settings/names.ts";
import type { Settings } from "../settings/settings.ts";
import { redisOptions } from "../stores/redis-options.ts";
import { optionKey } from "../stores/store-failure.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";
import { isOnThisMachine } from "./is-on-this-machine.ts";

const CHECK = "Redis";
/** So many rights are named. */
const MOST_NAMED = 6;

/** Looks at Redis as the broker would meet it. Throws `CommandError` for a file that cannot be read. */
export async function checkRedis(settings: Settings): Promise<readonly Finding[]> {
  return (await lookAtRedis(settings)).findings;
}

export async function lookAtRedis(
  settings: Settings,
): Promise<{ readonly problems: RedisInspection["problems"]; readonly findings: readonly Finding[] }> {
  const { inspectRedis } = await import("@modelgate/adapters-storage/redis");
  const seen = await inspectRedis(redisOptions(settings));
  return { problems: seen.problems, findings: redisFindings(seen, settings) };
}

/** What an inspection says to whoever runs the gateway. */
function redisFindings(seen: RedisInspection, settings: Settings): Finding[] {
  const problems = seen.problems.map(({ message, field }) =>
    fail(CHECK, printable(message), hintOf(field, seen.isReached)),
  );
  if (!seen.isReached) return problems;
  return [
    ok(CHECK, greeting(seen)),
    ...problems,
    ...checkRights(seen, settings),
    ...checkRole(seen),
    ...(queueKind(settings) === "redis" ? seen.warnings : []).map(({ message, mend }) =>
      warn(CHECK, printable(message), printable(mend)),
    ),
    ...checkTls(seen, settings),
  ];
}

function hintOf(field: string | undefined, isReached: boolean): string {
  const key = field === undefined ? undefined : optionKey("redis", field);
  if (key !== undefined) return `mend ${whereToGive(key)}`;
  return isReached ? "look at the log of the server" : `start it, or mend ${whereToGive("redis.url")}`;
}

function greeting({ product, serverVersion, connectMs = 0, tls, prefix }: RedisInspection): string {
  const by = tls === undefined || tls === "none" ? "in the clear" : `by ${tls}`;
  const what = printable([product ?? "Redis", serverVersion].filter(Boolean).join(" "));
  return `${what} answers, prefix ${prefix}, ${by}, in ${Math.round(connectMs)} ms`;
}

function checkRights({ missingRights: missing = [], user }: RedisInspection, settings: Settings): Finding[] {
  if (missing.length === 0) return [];
  const rest = missing.length - MOST_NAMED;
  const named = `${missing.slice(0, MOST_NAMED).join(" ")}${rest > 0 ? ` and ${rest} more` : ""}`;
  const name = user ?? settings["redis.username"] ?? "default";
  const text = `the user ${name} lacks the rights ${named}`;
  return [fail(CHECK, printable(text), printable(`run: ACL SETUSER ${name} ${missing.join(" ")}`))];
}

function checkRole({ role, clusterState }: RedisInspection): Finding[] {
  if (role === "replica") {
    const hint = `name the primary in ${whereToGive("redis.url")}, or give ${whereToGive("redis.sentinels.nodes")}`;
    return [warn(CHECK, "it is a replica, which takes no writes", hint)];
  }
  if (clusterState === undefined || clusterState === "ok") return [];
  return [warn(CHECK, `the Cluster's state is ${printable(clusterState)}`, "look at CLUSTER NODES there")];
}

function checkTls({ tls }: RedisInspection, settings: Settings): Finding[] {
  const addresses = [settings["redis.url"] ?? [], settings["redis.cluster.nodes"] ?? []].flat();
  const isNear = addresses.length > 0 && addresses.every(isOnThisMachine);
  if (tls !== "none" || isNear) return [];
  const text = "names of models and ids of tasks can be read on the way, as nothing encrypts them";
  return [warn(CHECK, text, `set ${whereToGive("redis.tls.enabled")} to true`)];
}
