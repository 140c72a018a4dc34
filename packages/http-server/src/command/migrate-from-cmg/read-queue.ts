import { setTimeout as sleep } from "node:timers/promises";

/** Where the queue of the gateway that is left is. */
export interface QueueAddress {
  /** `amqp://user:password@host:port/vhost`, or `amqps:`. */
  readonly url: string;
  readonly queue: string;
}

const PATIENCE_MS = 10_000;

/**
 * What waits in a queue, and stays there: each message is fetched without being confirmed, and when the connection
 * ends the broker puts all of them back to their places, marked as redelivered. Yields them in their order.
 */
export async function* readQueue({ url, queue }: QueueAddress): AsyncGenerator<Buffer> {
  const { connect } = await import("amqplib");
  const connection = await connect(partsOf(new URL(url)), { timeout: PATIENCE_MS });
  // Whoever waits is told by the call that waits; without a listener the process would end.
  let broken: Error | undefined;
  connection.on("error", (error: Error) => {
    broken ??= error;
  });
  try {
    const channel = await connection.createChannel();
    channel.on("error", (error: Error) => {
      broken ??= error;
    });
    for (;;) {
      const message = await inTime(channel.get(queue, { noAck: false })).catch((error: unknown) => {
        throw broken ?? error;
      });
      if (message === false) return;
      yield message.content;
    }
  } finally {
    await inTime(connection.close()).catch(() => {});
  }
}

function partsOf(url: URL): Record<string, string | number> {
  const isSecure = url.protocol === "amqps:";
  return {
    protocol: isSecure ? "amqps" : "amqp",
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    port: Number(url.port || (isSecure ? 5671 : 5672)),
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    vhost: url.pathname.length > 1 ? decodeURIComponent(url.pathname.slice(1)) : "/",
    // Nothing beats while messages are fetched one after another.
    heartbeat: 0,
  };
}

async function inTime<T>(call: Promise<T>): Promise<T> {
  const over = new AbortController();
  const late = sleep(PATIENCE_MS, undefined, { signal: over.signal }).then(() => {
    throw new Error(`no answer within ${PATIENCE_MS / 1000} s`);
  });
  try {
    return await Promise.race([call, late]);
  } finally {
    over.abort();
    late.catch(() => {});
  }
}
