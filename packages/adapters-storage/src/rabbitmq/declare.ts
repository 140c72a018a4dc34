import type { Channel, ChannelModel } from "amqplib";
import type { BrokerSettings } from "./options.ts";
import { PRECONDITION_FAILED, replyCode, toGatewayError } from "./rabbitmq-error.ts";

/** Expiry by message, which delays are made of, came to quorum queues with 3.10. */
const FIRST_QUORUM: readonly [number, number] = [3, 10];

/** From 4.0 on a quorum queue drops what came back 20 times, unless told otherwise. */
const DELIVERY_LIMIT = 2 ** 31 - 1;

export interface QueueArguments {
  /** Expired messages go where their routing key says. */
  readonly isDelay?: boolean;
  readonly maxLength?: number;
}

export function queueTypeOf(settings: BrokerSettings, model: ChannelModel): "quorum" | "classic" {
  if (settings.queueType !== "auto") return settings.queueType;
  const [major = 0, minor = 0] = brokerVersion(model).split(".").map(Number);
  const [needMajor, needMinor] = FIRST_QUORUM;
  return major > needMajor || (major === needMajor && minor >= needMinor) ? "quorum" : "classic";
}

export function brokerVersion(model: ChannelModel): string {
  return String(model.connection.serverProperties.version);
}

/** Declares a durable queue on a channel of its own. One that is there already is used as it is. */
export async function declareQueue(
  settings: BrokerSettings,
  model: ChannelModel,
  name: string,
  { isDelay, maxLength }: QueueArguments = {},
): Promise<void> {
  const type = queueTypeOf(settings, model);
  const args = {
    "x-queue-type": type,
    ...(type === "quorum" && { "x-delivery-limit": DELIVERY_LIMIT }),
    ...(isDelay && { "x-dead-letter-exchange": "" }),
    ...(maxLength !== undefined && { "x-max-length": maxLength }),
  };
  try {
    await onChannel(model, (channel) => channel.assertQueue(name, { durable: true, arguments: args }));
  } catch (error) {
    if (replyCode(error) !== PRECONDITION_FAILED) throw toGatewayError(error);
    await onChannel(model, (channel) => channel.checkQueue(name));
  }
}

/** Runs `work` on a channel that ends with it. */
export async function onChannel<T>(model: ChannelModel, work: (channel: Channel) => Promise<T>): Promise<T> {
  const channel = await model.createChannel();
  let isOpen = true;
  channel.on("error", () => {});
  channel.on("handler-error", () => {});
  channel.on("close", () => {
    isOpen = false;
  });
  try {
    return await work(channel);
  } finally {
    if (isOpen) await channel.close().catch(() => {});
  }
}
