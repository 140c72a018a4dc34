import { randomUUID } from "node:crypto";
import { GatewayError } from "@modelgate/core";
import type { ChannelModel } from "amqplib";
import { RabbitmqConnection } from "./connection.ts";
import { brokerVersion, onChannel, queueTypeOf } from "./declare.ts";
import type { RabbitmqInspection, RabbitmqProblem } from "./inspection.ts";
import { type BrokerSettings, type RabbitmqBrokerOptions, resolveOptions } from "./options.ts";
import { Publisher } from "./publisher.ts";
import { toGatewayError } from "./rabbitmq-error.ts";

type Found = { -readonly [Key in keyof RabbitmqInspection]: RabbitmqInspection[Key] };

/**
 * Looks at the broker as a gateway would meet it, over one connection of its own, with a queue below `prefix` that goes
 * with the connection. Never throws for what it finds, wrong options included.
 */
export async function inspectRabbitmq(options: RabbitmqBrokerOptions): Promise<RabbitmqInspection> {
  const problems: RabbitmqProblem[] = [];
  const found = nothing(problems);
  let settings: BrokerSettings;
  try {
    settings = resolveOptions(options);
  } catch (error) {
    problems.push(problemOf("options", error));
    return found;
  }
  const connection = new RabbitmqConnection(settings, "inspects");
  try {
    const since = performance.now();
    const model = await connection.open();
    found.connectMs = performance.now() - since;
    found.isReached = true;
    describeServer(found, settings, model);
    await tryRights(found, settings, connection, model);
  } catch (error) {
    problems.push(problemOf(found.isReached ? "server" : "connect", error));
  } finally {
    await connection.close();
  }
  return found;
}

function describeServer(found: Found, settings: BrokerSettings, model: ChannelModel): void {
  const properties = model.connection.serverProperties as unknown as Record<string, unknown>;
  const { stream } = model.connection as unknown as { stream?: { getProtocol?: () => string | null } };
  found.product = String(properties["product"]);
  found.serverVersion = brokerVersion(model);
  found.cluster = String(properties["cluster_name"] ?? "");
  found.tls = stream?.getProtocol?.() ?? "none";
  found.vhost = settings.addresses[0]?.vhost;
  found.user = settings.addresses[0]?.username;
  found.queueType = queueTypeOf(settings, model);
  const [major = 0, minor = 0] = found.serverVersion.split(".").map(Number);
  if (major < 3 || (major === 3 && minor < 10)) {
    const message = `RabbitMQ ${found.serverVersion} is older than 3.10, the oldest that is tested; update it`;
    (found.problems as RabbitmqProblem[]).push({
      step: "server",
      code: "UNSUPPORTED",
      message,
      field: "url",
    });
  }
}

async function tryRights(
  found: Found,
  settings: BrokerSettings,
  connection: RabbitmqConnection,
  model: ChannelModel,
): Promise<void> {
  const problems = found.problems as RabbitmqProblem[];
  const name = `${settings.prefix}.probe.${randomUUID()}`;
  const attempt = async (
    step: "configure" | "write" | "read",
    work: () => Promise<unknown>,
  ): Promise<boolean> => {
    try {
      await work();
      return true;
    } catch (error) {
      problems.push(problemOf(step, error));
      return false;
    }
  };
  const { operationTimeoutMs } = settings;
  found.canConfigure = await attempt("configure", () =>
    onChannel(model, (channel) => channel.assertQueue(name, { exclusive: true })),
  );
  if (!found.canConfigure) return;
  const publisher = new Publisher(connection);
  const since = performance.now();
  const sent = publisher.send([{ key: name, content: Buffer.from("modelgate probe") }]);
  found.canWrite = await attempt("write", () => within(operationTimeoutMs, sent));
  const { alarm } = problems.at(-1)?.code === "STORE_FULL" ? alarmOf(problems) : { alarm: "none" as const };
  found.alarm = alarm;
  if (found.canWrite) found.confirmMs = performance.now() - since;
  // While an alarm is on, the broker would not hear us either.
  if (alarm !== "none") return;
  found.canRead = await attempt("read", () =>
    onChannel(model, (channel) => channel.get(name, { noAck: true })),
  );
  await onChannel(model, (channel) => channel.deleteQueue(name)).catch(() => {});
}

function alarmOf(problems: readonly RabbitmqProblem[]): { alarm: "memory" | "disk" } {
  return { alarm: /disk/.test(problems.at(-1)?.message ?? "") ? "disk" : "memory" };
}

async function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    const message = `RabbitMQ did not confirm a message within ${limitMs} ms`;
    timer = setTimeout(() => reject(new GatewayError("STORE_UNAVAILABLE", message)), limitMs);
  });
  return await Promise.race([work, limit]).finally(() => clearTimeout(timer));
}

function problemOf(step: RabbitmqProblem["step"], thrown: unknown): RabbitmqProblem {
  const { code, message, details } = toGatewayError(thrown);
  const { field } = details as { field?: string };
  return { step, code, message, field };
}

function nothing(problems: RabbitmqProblem[]): Found {
  return {
    isReached: false,
    connectMs: undefined,
    product: undefined,
    serverVersion: undefined,
    cluster: undefined,
    tls: undefined,
    vhost: undefined,
    user: undefined,
    queueType: undefined,
    canConfigure: undefined,
    canWrite: undefined,
    canRead: undefined,
    alarm: undefined,
    confirmMs: undefined,
    problems,
  };
}
