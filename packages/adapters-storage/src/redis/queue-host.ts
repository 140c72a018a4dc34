import type { RedisArgument, RedisScript } from "./connection.ts";

/** What the queue needs of a connection. It rejects with a `GatewayError`. */
export interface QueueHost {
  evaluate(
    script: RedisScript,
    keys: readonly string[],
    args: readonly RedisArgument[],
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<unknown>;
}

/**
 * All that one queue keeps, in one slot of a Cluster: to hand out the lowest rank of all lanes takes one look at all of
 * them at once, and a script sees one slot only.
 *
 * - `entries`: a hash of id to place; of what is delivered, to `!`, the token, NUL and the place.
 * - `ids`: a sorted set of all ids, for the audit.
 * - `ready`: a sorted set of members, all of one score.
 * - `delayed`, `delivered`: sorted sets of ids by when they are ready again, in milliseconds of the server's clock.
 * - `mark`: random, made when it is missing.
 *
 * Each entry is in `entries`, in `ids`, and in one of the other three.
 */
const PARTS = ["entries", "ids", "ready", "delayed", "delivered", "mark"] as const;

/** The keys in the order in which every script gets them. */
export function queueKeys(keySpace: string): readonly string[] {
  return PARTS.map((part) => `${keySpace}queue:${part}`);
}
