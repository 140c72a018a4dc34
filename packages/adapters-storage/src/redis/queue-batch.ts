import type { RedisArgument, RedisScript } from "./connection.ts";
import type { QueueHost } from "./queue-host.ts";
import { MOST_ENTRIES } from "./scripts/shared.ts";

/** What one call asks of one script. */
export interface Share {
  readonly script: RedisScript;
  readonly ids: readonly string[];
  readonly args: readonly RedisArgument[];
}

interface Caller {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Shares of several calls that one script does together. */
export class Batch {
  readonly #script: RedisScript;
  readonly #ids = new Set<string>();
  readonly #args: RedisArgument[] = [];
  readonly #callers: Caller[] = [];

  constructor(script: RedisScript) {
    this.#script = script;
  }

  get size(): number {
    return this.#ids.size;
  }

  /** A batch names no id twice: what comes later would be done at the same time. */
  hasRoomFor({ script, ids }: Share): boolean {
    return (
      script === this.#script &&
      this.#ids.size + ids.length <= MOST_ENTRIES &&
      !ids.some((id) => this.#ids.has(id))
    );
  }

  add({ ids, args }: Share): Promise<void> {
    for (const id of ids) this.#ids.add(id);
    for (const arg of args) this.#args.push(arg);
    return new Promise((resolve, reject) => this.#callers.push({ resolve, reject }));
  }

  /** Never rejects: those who share it are told. */
  async send(host: QueueHost, keys: readonly string[]): Promise<void> {
    try {
      await host.evaluate(this.#script, keys, this.#args);
      for (const { resolve } of this.#callers) resolve();
    } catch (error) {
      for (const { reject } of this.#callers) reject(error);
    }
  }
}
