import type { Clock } from "../contracts/clock.ts";
import type { OperationOptions } from "../contracts/common.ts";
import type { Discovery, DiscoveryChange } from "../contracts/discovery.ts";
import { GatewayError } from "../errors.ts";
import { invalidOption } from "../option-checks.ts";
import { MonitoredServers } from "./monitored-servers.ts";
import {
  checkNames,
  checkProbeOptions,
  PROBE_OPTIONS,
  type ProbeOptions,
  type ProbeSettings,
} from "./probe-settings.ts";
import { parseStaticServers, type StaticServer } from "./static-servers.ts";
import { unlessAborted } from "./unless-aborted.ts";

/** All durations in milliseconds. */
export interface StaticDiscoveryOptions extends ProbeOptions {
  /** The list to begin with. */
  readonly servers: readonly StaticServer[];
  /** From a server's leaving the list until it is forgotten. Default 30 s. */
  readonly drainMs?: number | undefined;
}

/** A discovery of servers from a list, which can be exchanged. */
export interface StaticDiscovery extends Discovery {
  /**
   * Takes a new list. Servers that are not on it any more are told as `draining` at once, and removed after
   * `drainMs`. Changed ones are updated; one with another address or protocol begins anew as `starting`. Throws
   * `INVALID_OPTIONS`, and then changes nothing.
   */
  reload(servers: readonly StaticServer[]): void;
  /** Removes a draining server now. Returns whether it was one. */
  forget(id: string): boolean;
}

const DEFAULT_DRAIN_MS = 30_000;

/**
 * Knows the servers of a list and probes them, from the first `watch` or `refresh` on. A server is `starting` until
 * a first probe succeeds, `unhealthy` after two failed ones in a row, and `ready` again after one that succeeds.
 * `details.reason` says why it is not ready. `instance` is known only where the probe can tell, so it is not claimed.
 * Throws `INVALID_OPTIONS`.
 */
export function staticDiscovery(options: StaticDiscoveryOptions): StaticDiscovery {
  return new ListedServers(options);
}

class ListedServers implements StaticDiscovery {
  readonly capabilities: { readonly instances: boolean } = { instances: false };
  readonly #clock: Clock;
  readonly #drainMs: number;
  readonly #isProtocol: ProbeSettings["isProtocol"];
  readonly #servers: MonitoredServers;
  /** Ids of the list. */
  #listed = new Set<string>();
  /** Ends the wait of each server that drains. */
  readonly #cancelTimers = new Map<string, () => void>();
  readonly #closing = new AbortController();

  constructor(options: StaticDiscoveryOptions) {
    checkNames(options, [...PROBE_OPTIONS, "servers", "drainMs"], "static discovery");
    const { drainMs = DEFAULT_DRAIN_MS } = options;
    if (!(Number.isFinite(drainMs) && drainMs >= 0))
      throw invalidOption("drainMs", "must be a number, 0 or more");
    const settings = checkProbeOptions(options);
    this.#clock = settings.clock;
    this.#drainMs = drainMs;
    this.#isProtocol = settings.isProtocol;
    this.#servers = new MonitoredServers(settings);
    this.reload(options.servers);
  }

  async watch(
    listener: (change: DiscoveryChange) => void,
    options: OperationOptions = {},
  ): Promise<() => void> {
    this.#check(options);
    const stop = this.#servers.watch(listener);
    this.#servers.start();
    return stop;
  }

  async refresh(options: OperationOptions = {}): Promise<void> {
    this.#check(options);
    await unlessAborted(this.#servers.probe(), options.signal, this.#closing.signal);
  }

  reload(servers: readonly StaticServer[]): void {
    this.#check({});
    const entries = parseStaticServers(servers, this.#isProtocol);
    const before = this.#listed;
    this.#listed = new Set(entries.map(({ id }) => id));
    for (const id of before) if (!this.#listed.has(id)) this.#drain(id);
    for (const entry of entries) {
      this.#stopWaiting(entry.id);
      this.#servers.set(entry);
    }
  }

  forget(id: string): boolean {
    if (!this.#servers.isDraining(id)) return false;
    this.#stopWaiting(id);
    return this.#servers.remove(id);
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new GatewayError("CLOSED", "the static discovery was closed"));
    for (const cancelTimer of this.#cancelTimers.values()) cancelTimer();
    this.#servers.close();
  }

  #drain(id: string): void {
    if (!this.#servers.drain(id)) return;
    this.#cancelTimers.set(
      id,
      this.#clock.after(this.#drainMs, () => this.forget(id)),
    );
  }

  #stopWaiting(id: string): void {
    this.#cancelTimers.get(id)?.();
    this.#cancelTimers.delete(id);
  }

  #check(options: OperationOptions): void {
    this.#closing.signal.throwIfAborted();
    options.signal?.throwIfAborted();
  }
}
