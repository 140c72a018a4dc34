import { type BrokerKind, brokersOf } from "./brokers.ts";
import { whereToGive } from "./names.ts";
import type { Settings } from "./settings.ts";

/** What the settings of the brokers that are asked for lack, or say against each other. */
export function checkBrokers(settings: Settings): string[] {
  const { wakeups, store } = settings;
  const problems: string[] = [];
  if (wakeups === "postgres" && store !== "postgres") {
    problems.push(
      `wakeups is "postgres", which goes with the store postgres only; give ${whereToGive("store")} too.`,
    );
  }
  for (const kind of brokersOf(settings)) {
    problems.push(...(kind === "redis" ? checkRedis(settings) : checkRabbitmq(settings)));
    problems.push(...checkTls(kind, settings));
  }
  return problems;
}

function checkRedis(settings: Settings): string[] {
  const names = ["redis.url", "redis.sentinels.nodes", "redis.cluster.nodes"] as const;
  const given = names.filter((name) => (settings[name]?.length ?? 0) > 0);
  if (given.length > 1) return [`${given.join(" and ")} both say where Redis is; give one of them.`];
  const isNamed = settings["redis.sentinels.name"] !== undefined;
  if (given.length === 0) {
    const asked = isNamed ? "redis.sentinels.nodes" : "redis.url";
    return [`${askedBy("redis", settings)} and its address is not given; give ${whereToGive(asked)}.`];
  }
  const isBySentinels = given[0] === "redis.sentinels.nodes";
  if (isBySentinels === isNamed) return [];
  if (isBySentinels)
    return [`Sentinels are asked for a primary by its name; give ${whereToGive("redis.sentinels.name")}.`];
  return [`redis.sentinels.name goes with Sentinels; give ${whereToGive("redis.sentinels.nodes")} too.`];
}

function checkRabbitmq(settings: Settings): string[] {
  const { "rabbitmq.url": url, "rabbitmq.urls": urls = [] } = settings;
  if (url !== undefined && urls.length > 0)
    return ["rabbitmq.url and rabbitmq.urls both say where RabbitMQ is; give one of them."];
  if (url !== undefined || urls.length > 0) return [];
  return [
    `${askedBy("rabbitmq", settings)} and its address is not given; give ${whereToGive("rabbitmq.url")}.`,
  ];
}

function askedBy(kind: BrokerKind, { queue }: Settings): string {
  return `${queue === kind ? "queue" : "wakeups"} is "${kind}"`;
}

function checkTls(kind: BrokerKind, settings: Settings): string[] {
  const { [`${kind}.tls.certFile` as const]: certFile, [`${kind}.tls.keyFile` as const]: keyFile } = settings;
  if ((certFile === undefined) === (keyFile === undefined)) return [];
  const missing =
    certFile === undefined ? (`${kind}.tls.certFile` as const) : (`${kind}.tls.keyFile` as const);
  return [`a client's certificate needs its key, and a key its certificate; give ${whereToGive(missing)}.`];
}
