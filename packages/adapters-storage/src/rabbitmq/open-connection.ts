import { isIP } from "node:net";
import { GatewayError } from "@modelgate/core";
import type { ChannelModel, SocketOptions } from "amqplib";
import type { BrokerAddress, BrokerSettings } from "./options.ts";
import { unavailable } from "./rabbitmq-error.ts";

/** Opens a connection to one node; whatever it still does after its time is undone. */
export async function openConnection(
  address: BrokerAddress,
  settings: BrokerSettings,
  purpose: string,
): Promise<ChannelModel> {
  const { connect } = await import("amqplib").catch((cause: unknown) => {
    const message = "the RabbitMQ broker needs the package amqplib; run npm install amqplib@2.3.1";
    throw new GatewayError("INVALID_OPTIONS", message, { cause, details: { field: "url" } });
  });
  const { connectTimeoutMs, heartbeatMs, connectionName } = settings;
  const password = (await askedPassword(settings.password)) ?? address.password;
  const { isSecure, hostname, port, vhost, username } = address;
  const opening = connect(
    {
      protocol: isSecure ? "amqps" : "amqp",
      ...{ hostname, port, username, password },
      // The driver unescapes it, as if it stood in an address.
      vhost: encodeURIComponent(vhost),
      heartbeat: Math.max(1, Math.round(heartbeatMs / 1_000)),
    },
    {
      noDelay: true,
      keepAlive: true,
      timeout: connectTimeoutMs,
      clientProperties: { connection_name: `${connectionName} ${purpose}` },
      ...(isSecure && tlsOptions(hostname, settings)),
    },
  ).then(quieted);
  return await withinMs(connectTimeoutMs, opening);
}

/** Without a listener, an error of the connection would end the process; also of one that opened too late. */
function quieted(model: ChannelModel): ChannelModel {
  model.on("error", () => {});
  model.on("handler-error", () => {});
  return model;
}

/** Breaks the connection without a farewell. */
export function breakConnection(model: ChannelModel): void {
  const { stream } = model.connection as unknown as { stream?: { destroy(error: Error): void } };
  stream?.destroy(new Error("given up"));
}

async function withinMs(limitMs: number, opening: Promise<ChannelModel>): Promise<ChannelModel> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(unavailable(`RabbitMQ did not let us in within ${limitMs} ms`, "connectTimeoutMs"));
      opening.then(breakConnection, () => {});
    }, limitMs);
  });
  try {
    return await Promise.race([opening, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What a function of the caller's throws may hold anything. */
async function askedPassword(password: BrokerSettings["password"]): Promise<string | undefined> {
  if (typeof password !== "function") return undefined;
  try {
    return await password();
  } catch {
    throw unavailable("the function that is given as password failed", "password");
  }
}

function tlsOptions(hostname: string, { tls }: BrokerSettings): SocketOptions {
  const { ca, cert, key, serverName, verify = true } = tls;
  return {
    rejectUnauthorized: verify,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(serverName !== undefined && { servername: serverName }),
    ...(serverName === undefined && isIP(hostname) === 0 && { servername: hostname }),
  };
}
