import type { Queue, Wakeups } from "@modelgate/core";
import { RedisConnection, redisScript } from "./connection.ts";
import { readInfo, warningsOf } from "./inspect-server.ts";
import { keySpace, type RedisBrokerOptions, resolveRedisOptions } from "./options.ts";
import { redisQueue } from "./queue.ts";
import { RedisWakeups } from "./wakeups.ts";

/** A queue and wake-ups over one connection, and one more that listens. */
export interface RedisBroker {
  /** In exact order. Loses nothing but the order of what waits, as the ledger enqueues it again. */
  readonly queue: Queue;
  readonly wakeups: Wakeups;
  /** Closes both, and the connections; a client that was handed in stays open. Both closed one by one do the same. */
  close(): Promise<void>;
}

/** In a Cluster it asks the node that has the key. */
const INFO = redisScript(`
local info = redis.pcall('INFO')
return type(info) == 'string' and info or ''
`);

/**
 * A queue and wake-ups in Redis or Valkey, to stand beside a task store: `composeLedger(store.tasks, broker.queue)`.
 * Connects at the first call, and again whenever the connection is lost; a call meanwhile rejects `STORE_UNAVAILABLE`.
 * Warns once, after its first call, of what makes the queue less safe. Throws `INVALID_OPTIONS`.
 */
export function redisBroker(options: RedisBrokerOptions): RedisBroker {
  const resolved = resolveRedisOptions(options);
  const connection = new RedisConnection(resolved, () => {
    void warn(connection).catch(() => {});
  });
  const queue = redisQueue(connection, keySpace(resolved));
  let open = 2;
  const closed = (): void => {
    open -= 1;
    if (open === 0) connection.close();
  };
  const wakeups = new RedisWakeups(connection, { onClose: closed });
  let closingQueue: Promise<void> | undefined;
  const closeQueue = (): Promise<void> => {
    closingQueue ??= queue.close().then(closed);
    return closingQueue;
  };
  return {
    queue: { ...queue, close: closeQueue },
    wakeups,
    async close() {
      await Promise.all([closeQueue(), wakeups.close()]);
    },
  };
}

async function warn(connection: RedisConnection): Promise<void> {
  const { options } = connection;
  const info = await connection.evaluate(INFO, [`${keySpace(options)}info`], []);
  for (const { message, mend } of warningsOf(readInfo(info as string)))
    options.onWarning(`${options.place}: ${message}; ${mend}`);
}
