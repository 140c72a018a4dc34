// The brokers that benches start, and how each of them loses everything.
import { startRabbitmq, startRedis } from "../../scripts/services/index.mjs";
import { amqplib } from "./parts.mjs";

/** A `redis` or `rabbitmq`, with what of its content was lost by `lose`. */
export async function startBroker(kind) {
  const service = kind === "redis" ? await startRedis({ persistence: "aof" }) : await startRabbitmq();
  return {
    kind,
    service,
    url: service.url,
    lose: () => (kind === "redis" ? flush(service) : purge(service)),
  };
}

async function flush(service) {
  // The server's own tool, as an operator would.
  const { execFileSync } = await import("node:child_process");
  execFileSync("redis-cli", ["-p", String(service.port), "flushall"], {
    env: { ...process.env, REDISCLI_AUTH: service.password },
    stdio: "ignore",
  });
}

async function purge(service) {
  const names = await queuesOf(service);
  const connection = await amqplib().connect(service.url);
  const channel = await connection.createChannel();
  await Promise.all(names.map((name) => channel.purgeQueue(name)));
  await connection.close();
}

async function queuesOf({ managementUrl }) {
  const { username, password, origin } = new URL(managementUrl);
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  const answer = await fetch(`${origin}/api/queues?columns=name,exclusive`, { headers: { authorization } });
  if (!answer.ok) throw new Error(`the management answered ${answer.status}`);
  return (await answer.json()).flatMap(({ name, exclusive }) => (exclusive ? [] : [name]));
}
