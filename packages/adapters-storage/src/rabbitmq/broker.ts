import type { Closable, Queue, Wakeups } from "@modelgate/core";
import { RabbitmqConnection } from "./connection.ts";
import { type RabbitmqBrokerOptions, resolveOptions } from "./options.ts";
import { RabbitmqQueue } from "./queue.ts";
import { RabbitmqWakeups } from "./wakeups.ts";

/** What RabbitMQ does for a gateway. No task lives in it: whatever it loses is found in the ledger's store. */
export interface RabbitmqBroker extends Closable {
  readonly queue: Queue;
  readonly wakeups: Wakeups;
}

/**
 * A queue that orders by priority bands, and wake-ups. Both share two connections, opened by the first call: an alarm
 * of the broker holds up the one that publishes, and what takes and settles goes on. They are closed with both parts.
 *
 * Throws `INVALID_OPTIONS`, which names the field.
 */
export function rabbitmqBroker(options: RabbitmqBrokerOptions): RabbitmqBroker {
  const settings = resolveOptions(options);
  const publishing = new RabbitmqConnection(settings, "publishes");
  const taking = new RabbitmqConnection(settings, "takes");
  let openParts = 2;
  const onPartClosed = async (): Promise<void> => {
    openParts -= 1;
    if (openParts === 0) await Promise.all([publishing.close(), taking.close()]);
  };
  const queue = new RabbitmqQueue({ publishing, taking }, onPartClosed);
  const wakeups = new RabbitmqWakeups({ publishing, taking }, onPartClosed);
  return {
    queue,
    wakeups,
    close: async () => {
      await Promise.all([queue.close(), wakeups.close()]);
    },
  };
}
