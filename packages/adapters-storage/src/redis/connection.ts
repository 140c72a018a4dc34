import { createHash } from "node:crypto";
import type { Writable } from "node:stream";
import { GatewayError, type OperationOptions } from "@modelgate/core";
import { unlessAborted } from "@modelgate/core/adapter";
import type { Redis } from "ioredis";
import { addressesOf, type OwnClient, openClient, openSubscriber } from "./connection-client.ts";
import { Link } from "./connection-link.ts";
import type { RedisClientLike, ResolvedRedisOptions } from "./options.ts";
import { isOfServer, replyCode, toGatewayError } from "./redis-error.ts";

export type RedisArgument = string | number | Buffer;

/** A program of the server's, told by its hash once the server knows it. */
export interface RedisScript {
  readonly lua: string;
  readonly sha: string;
}

export function redisScript(lua: string): RedisScript {
  return { lua, sha: createHash("sha1").update(lua).digest("hex") };
}

/** Commands to Redis over one connection, or over one to each node of a Cluster. Opens at the first call. */
export class RedisConnection {
  readonly options: ResolvedRedisOptions;
  readonly #link: Link<OwnClient>;
  #isClosed = false;
  #onFirstReply: (() => void) | undefined;
  /** Holds back what is written, so that the commands of one turn are one packet. */
  #corked: Writable | undefined;

  /** `onFirstReply` is called once, when the first call has been answered. */
  constructor(options: ResolvedRedisOptions, onFirstReply?: () => void) {
    this.options = options;
    this.#onFirstReply = onFirstReply;
    this.#link = new Link({ place: options.place, open: () => openClient(options) });
  }

  /**
   * Sends the script by its hash, and whole where the server does not know it. All keys begin with `keySpace`, so that
   * one node of a Cluster has them. Rejects with a `GatewayError`.
   */
  async evaluate(
    script: RedisScript,
    keys: readonly string[],
    args: readonly RedisArgument[],
    options?: OperationOptions,
  ): Promise<unknown> {
    return await this.#run((client) => evaluate(client, script, keys, args), options);
  }

  /** One command. In a Cluster it goes to the node of its key, or to any. */
  async call(command: string, args: readonly RedisArgument[], options?: OperationOptions): Promise<unknown> {
    return await this.#run((client) => client.call(command, [...args]), options);
  }

  /** A connection of its own, for pub/sub. The caller disconnects it. */
  async openSubscriber(): Promise<Redis> {
    return await openSubscriber(this.options, addressesOf(this.#link.current));
  }

  close(): void {
    this.#isClosed = true;
    this.#link.close();
  }

  async #run<T>(send: (client: RedisClientLike) => Promise<T>, options?: OperationOptions): Promise<T> {
    const { place, commandTimeoutMs, target } = this.options;
    if (this.#isClosed) throw new GatewayError("CLOSED", `the connection to ${place} is closed`);
    const signal = options?.signal;
    signal?.throwIfAborted();
    let client: OwnClient | undefined;
    const done = (async () => {
      if (target.kind === "client") return await send(target.client);
      client = this.#link.current ?? (await this.#link.client());
      this.#cork(client);
      return await send(client);
    })();
    try {
      const reply = await unlessAborted(within(done, commandTimeoutMs), signal);
      const onFirstReply = this.#onFirstReply;
      this.#onFirstReply = undefined;
      onFirstReply?.();
      return reply;
    } catch (error) {
      if (signal?.aborted === true && error === signal.reason) throw error;
      if (client !== undefined && isOfServer(error)) this.#link.drop(client);
      throw toGatewayError(error, place);
    }
  }

  #cork(client: OwnClient): void {
    const { stream } = client as { stream?: Writable };
    if (stream === undefined || this.#corked === stream) return;
    this.#corked = stream;
    stream.cork();
    process.nextTick(() => {
      this.#corked = undefined;
      stream.uncork();
    });
  }
}

async function evaluate(
  client: RedisClientLike,
  script: RedisScript,
  keys: readonly string[],
  args: readonly RedisArgument[],
): Promise<unknown> {
  try {
    return await client.call("evalsha", [script.sha, keys.length, ...keys, ...args]);
  } catch (error) {
    if (replyCode(error) !== "NOSCRIPT") throw error;
    return await client.call("eval", [script.lua, keys.length, ...keys, ...args]);
  }
}

async function within<T>(done: Promise<T>, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error("no answer in time")), limitMs);
  });
  try {
    return await Promise.race([done, late]);
  } finally {
    clearTimeout(timer);
  }
}
