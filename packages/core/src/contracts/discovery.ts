import type { Closable, OperationOptions } from "./common.ts";
import type { Room } from "./deployer.ts";

/**
 * - `starting`: known, not ready yet; gets no traffic.
 * - `ready`: our own probe says so.
 * - `unhealthy`: was ready, and our probe fails.
 * - `draining`: asked to stop; what runs may end, nothing new is sent.
 */
export type ServerState = "starting" | "ready" | "unhealthy" | "draining";

/** One running process that serves models, at an address. */
export interface ModelServer {
  /** The same in every process and for every discovery that sees it. */
  readonly id: string;
  /** Base address, without a trailing slash. May hold credentials: never log it. */
  readonly url: string;
  readonly models: readonly string[];
  /** Name of the ServerProtocol that speaks to it. */
  readonly protocol: string;
  readonly state: ServerState;
  /** Which incarnation of the server this is, where it can be told: a container id, a boot id. */
  readonly instance?: string | undefined;
  /** Slots; absent when unknown. */
  readonly limit?: number | undefined;
  /** Its share of the work among the servers of a model, beside 1 for one that does not say. Above 0. */
  readonly weight?: number | undefined;
  /** What it takes of its host, as far as it is limited. */
  readonly room?: Partial<Room> | undefined;
  /** What else is known, for people. */
  readonly details?: Readonly<Record<string, string>> | undefined;
}

export type DiscoveryChange =
  | { readonly kind: "snapshot"; readonly servers: readonly ModelServer[] }
  | { readonly kind: "upsert"; readonly server: ModelServer }
  | { readonly kind: "removed"; readonly id: string };

/**
 * Finds model servers. It subscribes first and lists then, lists again after a reconnect (as a new snapshot), and
 * tells a server's draining when the stop is asked for, not when it is over.
 */
export interface Discovery extends Closable {
  readonly capabilities: {
    /** Whether `instance` tells one incarnation from the next. */
    readonly instances: boolean;
  };
  /**
   * Calls `listener` with a snapshot before it resolves, and with every change after. A second watcher gets its own
   * snapshot. The function resolved stops it. A listener must not throw.
   */
  watch(listener: (change: DiscoveryChange) => void, options?: OperationOptions): Promise<() => void>;
  /** Looks again now instead of at the next interval; resolves when the news, if any, have been told. */
  refresh(options?: OperationOptions): Promise<void>;
}
