import { Redis } from "ioredis";
import type { BrokerPlace, OpenBroker } from "./broker-stage.ts";
import type { LossKind } from "./plan.ts";

/** Redis as whoever runs it sees it: by an address of its own, which no fault befalls. */
export function openRedisBroker({ url, control }: BrokerPlace, prefix: string): OpenBroker {
  const client = new Redis(url, { retryStrategy: () => 200, maxRetriesPerRequest: null });
  // It is away whenever that is the fault; the next call waits until it is back.
  client.on("error", () => {});
  const waiting = (): Promise<number> => client.hlen(`{${prefix}}:queue:entries`);
  const flush = async (): Promise<void> => {
    if (control !== undefined) return void (await client.flushall());
    // Others keep things there.
    const keys = await client.keys(`{${prefix}}:*`);
    if (keys.length > 0) await client.del(keys);
  };
  return {
    faults: control === undefined ? ["flush", "split"] : ["flush", "restart-empty", "split"],
    async lose(kind: LossKind) {
      const lost = await waiting();
      if (kind === "flush") await flush();
      else if (kind === "restart-empty") await control?.restartEmpty();
      else throw new Error(`${kind} is nothing that befalls Redis`);
      return lost;
    },
    async close() {
      await flush();
      client.disconnect();
    },
  };
}
