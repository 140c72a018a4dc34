import { randomBytes } from "node:crypto";
import type { Queue } from "@modelgate/core";
import type { QueueFixture } from "@modelgate/core/testing";
import { RedisConnection } from "../../src/redis/connection.ts";
import { resolveRedisOptions } from "../../src/redis/options.ts";
import { redisQueue } from "../../src/redis/queue.ts";
import { type QueueHost, queueKeys } from "../../src/redis/queue-host.ts";

/** Clients of one queue under a prefix of its own, which goes with them. */
export interface QueueSpace {
  readonly keySpace: string;
  /** A further client over a connection of its own, closed with the others. `disguise` stands before its connection. */
  open(disguise?: (host: QueueHost) => QueueHost): Queue;
  connect(): RedisConnection;
  /** Loses everything as a flush would, but of this prefix alone. */
  loseAll(): Promise<void>;
  close(): Promise<void>;
}

export function newQueueSpace(url: string): QueueSpace {
  const prefix = `t-${randomBytes(8).toString("hex")}`;
  const keySpace = `{${prefix}}:`;
  const connections: RedisConnection[] = [];
  const connect = (): RedisConnection => {
    const connection = new RedisConnection(resolveRedisOptions({ url, prefix, commandTimeoutMs: 5_000 }));
    connections.push(connection);
    return connection;
  };
  const control = connect();
  const loseAll = async (): Promise<void> => {
    await control.call("del", queueKeys(keySpace));
  };
  return {
    keySpace,
    open: (disguise = (host) => host) => redisQueue(disguise(connect()), keySpace),
    connect,
    loseAll,
    close: async () => {
      await loseAll();
      for (const connection of connections) connection.close();
    },
  };
}

export function queueFixture(url: string, disguise?: (host: QueueHost) => QueueHost): QueueFixture {
  const space = newQueueSpace(url);
  return {
    queue: space.open(disguise),
    another: async () => space.open(disguise),
    loseAll: space.loseAll,
    close: space.close,
  };
}
