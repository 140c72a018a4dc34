import { describeKit, queueKit, wakeupsKit } from "@modelgate/core/testing";
import { describe, it } from "vitest";
import { rabbitmqBroker } from "../../src/rabbitmq/index.ts";
import { newPrefix, removeAll, servers } from "./brokers.ts";

const LANES = ["m", "n", "o", "old", "new", "m0", "m1", "m2"];

/** Classic queues take half a minute more. */
const QUEUE_TYPES =
  process.env["MODELGATE_LONG"] === "1" ? (["quorum", "classic"] as const) : (["quorum"] as const);

for (const { name, url } of servers()) {
  for (const queueType of QUEUE_TYPES) {
    describeKit({ describe, it: it.concurrent }, queueKit, `${name}, ${queueType}`, async () => {
      const prefix = newPrefix();
      const brokers = [rabbitmqBroker({ url, prefix, queueType })];
      const close = async (): Promise<void> => {
        await Promise.all(brokers.map((broker) => broker.close()));
        await removeAll(url, prefix, LANES);
      };
      return {
        // biome-ignore lint/style/noNonNullAssertion: It was just put there.
        queue: brokers[0]!.queue,
        another: async () => {
          const broker = rabbitmqBroker({ url, prefix, queueType });
          brokers.push(broker);
          return broker.queue;
        },
        loseAll: async () => {
          await removeAll(url, prefix, LANES);
        },
        close,
      };
    });
  }
  describeKit({ describe, it: it.concurrent }, wakeupsKit, name, async () => {
    const prefix = newPrefix();
    const [one, two] = [rabbitmqBroker({ url, prefix }), rabbitmqBroker({ url, prefix })];
    return {
      wakeups: one.wakeups,
      other: two.wakeups,
      close: async () => {
        await Promise.all([one.close(), two.close()]);
        await removeAll(url, prefix, []);
      },
    };
  });
}
