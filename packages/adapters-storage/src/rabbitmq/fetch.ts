import { randomUUID } from "node:crypto";
import type { GetMessage, Message } from "amqplib";
import type { Line } from "./lines.ts";

/** Up to here it is faster to ask for each message. */
const MOST_GETS = 2;

/**
 * At most so many messages of a queue, the first ones. More than a few come through a consumer that may hold no more
 * than that, and is cancelled at once: what the queue had for it comes before the answer to that.
 */
export async function fetchMessages(
  line: Line,
  queue: string,
  max: number,
): Promise<readonly (Message | GetMessage)[]> {
  const { channel } = line;
  const messages: (Message | GetMessage)[] = [];
  if (max <= MOST_GETS) {
    while (messages.length < max) {
      const message = await channel.get(queue);
      if (message === false) break;
      messages.push(message);
    }
    return messages;
  }
  if (line.prefetch !== max) {
    // It holds for each consumer that begins after it.
    await channel.prefetch(max);
    line.prefetch = max;
  }
  const consumerTag = randomUUID();
  line.consumers.add(consumerTag);
  return await new Promise((resolve, reject) => {
    const consuming = channel.consume(
      queue,
      (message) => {
        if (message !== null) messages.push(message);
        // There will be no more, whatever the cancelling still has to wait for.
        if (messages.length === max) resolve(messages);
      },
      { consumerTag },
    );
    const cancelled = channel.cancel(consumerTag);
    line.ending = Promise.all([consuming, cancelled])
      .then(() => resolve(messages), reject)
      .finally(() => line.consumers.delete(consumerTag));
  });
}
