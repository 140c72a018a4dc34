import type { GatewayErrorCode } from "@modelgate/core";

/** What was found out. `undefined` is what could not be. */
export interface RedisInspection {
  /** Whether a connection could be opened, and its user let in. */
  readonly isReached: boolean;
  /** From the first byte to a connection that is good to use. */
  readonly connectMs: number | undefined;
  readonly product: "Redis" | "Valkey" | undefined;
  /** As the server tells it: `7.0.15`. */
  readonly serverVersion: string | undefined;
  /** Whether the server is new enough: Redis 7.0, or any Valkey. */
  readonly isSupported: boolean | undefined;
  /** Who is let in; `default` where no user is given. Of a client that is handed in it is not known. */
  readonly user: string | undefined;
  /** The protocol, such as `TLSv1.3`; `none` for a connection in the clear. */
  readonly tls: string | undefined;
  readonly prefix: string;
  readonly role: "primary" | "replica" | undefined;
  /** How many replicas follow it. */
  readonly replicas: number | undefined;
  /** `ok`, or why a Cluster does not work; `undefined` where there is none. */
  readonly clusterState: string | undefined;
  /** What goes when memory is full: `noeviction` and `volatile-…` leave the queue alone, `allkeys-…` do not. */
  readonly evictionPolicy: string | undefined;
  /** 0 where there is no limit but the machine's. */
  readonly maxMemoryBytes: number | undefined;
  readonly usedMemoryBytes: number | undefined;
  /** Whether it keeps an append-only file. */
  readonly appendOnly: boolean | undefined;
  /** How often that file is written to disk: `always`, `everysec` or `no`. */
  readonly appendFsync: string | undefined;
  /** Whether it takes snapshots by itself. */
  readonly snapshots: boolean | undefined;
  /** `CONFIG` is not allowed, as with many hosted services: `snapshots` and `appendFsync` cannot be told. */
  readonly isConfigHidden: boolean | undefined;
  /** What the user may not do and must, as `ACL SETUSER` takes it: `+zadd`, `~{modelgate}:*`, `&{modelgate}:*`. */
  readonly missingRights: readonly string[] | undefined;
  /** What stood in the way, in the order of the steps. */
  readonly problems: readonly RedisProblem[];
  /** What works, and costs something: no reason not to start. */
  readonly warnings: readonly RedisWarning[];
}

export interface RedisProblem {
  readonly step: "options" | "connect" | "server" | "rights" | "subscribe";
  readonly code: GatewayErrorCode;
  readonly message: string;
  /** The option that is wrong, where that can be told. */
  readonly field: string | undefined;
}

export interface RedisWarning {
  /** The setting of the server, as its configuration has it. */
  readonly setting: "maxmemory-policy" | "appendonly" | "cluster-enabled" | "version";
  /** What may happen. */
  readonly message: string;
  /** What to do about it. */
  readonly mend: string;
}
