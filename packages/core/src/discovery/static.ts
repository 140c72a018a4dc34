import PQueue from "p-queue";
import { systemClock } from "../clock.ts";
import type { Clock } from "../contracts/clock.ts";
import type { OperationOptions } from "../contracts/common.ts";
import type { Discovery, DiscoveryChange, ModelServer } from "../contracts/discovery.ts";
import type { ServerProtocol } from "../contracts/server-protocol.ts";
import { GatewayError } from "../errors.ts";
import { ChangeFeed } from "./change-feed.ts";
import { type MonitorContext, ServerMonitor, type ServerProbe } from "./server-monitor.ts";
import { invalid, parseStaticServers, type ServerEntry, type StaticServer } from "./static-servers.ts";

/** All durations in milliseconds. */
export interface StaticDiscoveryOptions {
  /** The list to begin with. */
  readonly servers: readonly StaticServer[];
  /** How to find out whether a server is ready: the protocols by name, or a function for all. */
  readonly probe: ServerProbe | ReadonlyMap<string, Pick<ServerProtocol, "probe">>;
  /** Between probes of a ready server. Default 5 s. */
  readonly intervalMs?: number | undefined;
  /** After a first failed probe, growing by 1.6 with each more. Default 100 ms. */
  readonly firstRetryMs?: number | undefined;
  /** What that grows to. Default 1 s. */
  readonly maxRetryMs?: number | undefined;
  /** For one probe. Default 2 s. */
  readonly probeTimeoutMs?: number | undefined;
  /** Probes that run at once. Default 16. */
  readonly maxProbes?: number | undefined;
  /** From a server's leaving the list until it is forgotten. Default 30 s. */
  readonly drainMs?: number | undefined;
  /** Default: the host's time. */
  readonly clock?: Clock | undefined;
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

const DEFAULTS = {
  intervalMs: 5000,
  firstRetryMs: 100,
  maxRetryMs: 1000,
  probeTimeoutMs: 2000,
  maxProbes: 16,
  drainMs: 30_000,
} as const;

/**
 * Knows the servers of a list and probes them, from the first `watch` or `refresh` on. A server is `starting` until
 * a first probe succeeds, `unhealthy` after two failed ones in a row, and `ready` again after one that succeeds.
 * `details.reason` says why it is not ready. `instance` is known only where the probe can tell, so it is not claimed.
 * Throws `INVALID_OPTIONS`.
 */
export function staticDiscovery(options: StaticDiscoveryOptions): StaticDiscovery {
  return new ListedServers(options);
}

interface Draining {
  readonly server: ModelServer;
  readonly cancelTimer: () => void;
}

class ListedServers implements StaticDiscovery {
  readonly capabilities: { readonly instances: boolean } = { instances: false };
  readonly #clock: Clock;
  readonly #drainMs: number;
  readonly #isProtocol: (name: string) => boolean;
  readonly #monitorContext: MonitorContext;
  readonly #feed = new ChangeFeed();
  /** By id, in the order of the list. */
  #monitors = new Map<string, ServerMonitor>();
  readonly #draining = new Map<string, Draining>();
  #isStarted = false;
  readonly #closing = new AbortController();

  constructor(options: StaticDiscoveryOptions) {
    const { probe, servers, clock = systemClock } = options;
    const settings = { ...DEFAULTS, ...checkedSettings(options) };
    this.#clock = clock;
    this.#drainMs = settings.drainMs;
    this.#isProtocol = typeof probe === "function" ? () => true : (name) => probe.has(name);
    const queue = new PQueue({ concurrency: settings.maxProbes });
    this.#monitorContext = {
      clock,
      pace: settings,
      probeTimeoutMs: settings.probeTimeoutMs,
      probe: typeof probe === "function" ? probe : probeBy(probe),
      // However many servers hang, one that works is looked at next.
      inTurn: (work, isReady) => queue.add(work, { priority: isReady ? 1 : 0 }),
      onChange: (server) => this.#tell({ kind: "upsert", server }),
    };
    for (const entry of parseStaticServers(servers, this.#isProtocol)) {
      this.#monitors.set(entry.id, new ServerMonitor(entry, this.#monitorContext));
    }
  }

  async watch(
    listener: (change: DiscoveryChange) => void,
    options: OperationOptions = {},
  ): Promise<() => void> {
    this.#check(options);
    const stop = this.#feed.watch(listener, this.#servers());
    this.#start();
    return stop;
  }

  async refresh(options: OperationOptions = {}): Promise<void> {
    this.#check(options);
    this.#isStarted = true;
    const probes = Promise.all([...this.#monitors.values()].map((monitor) => monitor.probe()));
    await unlessAborted(probes, options.signal, this.#closing.signal);
  }

  reload(servers: readonly StaticServer[]): void {
    this.#check({});
    const entries = parseStaticServers(servers, this.#isProtocol);
    const before = this.#monitors;
    this.#monitors = new Map(entries.map((entry) => [entry.id, this.#monitorFor(entry, before)]));
    for (const [id, monitor] of before) {
      if (this.#monitors.get(id) === monitor) continue;
      monitor.stop();
      if (!this.#monitors.has(id)) this.#drain(monitor.server);
    }
    for (const entry of entries) {
      const monitor = this.#monitors.get(entry.id);
      if (monitor === before.get(entry.id)) monitor?.update(entry);
      else if (monitor !== undefined) this.#add(monitor);
    }
  }

  forget(id: string): boolean {
    const draining = this.#draining.get(id);
    if (draining === undefined) return false;
    draining.cancelTimer();
    this.#draining.delete(id);
    this.#tell({ kind: "removed", id });
    return true;
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new GatewayError("CLOSED", "the static discovery was closed"));
    for (const monitor of this.#monitors.values()) monitor.stop();
    for (const { cancelTimer } of this.#draining.values()) cancelTimer();
    this.#feed.close();
  }

  #monitorFor(entry: ServerEntry, before: ReadonlyMap<string, ServerMonitor>): ServerMonitor {
    const known = before.get(entry.id);
    return known?.isAt(entry) === true ? known : new ServerMonitor(entry, this.#monitorContext);
  }

  #add(monitor: ServerMonitor): void {
    const { id } = monitor.server;
    this.#draining.get(id)?.cancelTimer();
    this.#draining.delete(id);
    this.#tell({ kind: "upsert", server: monitor.server });
    if (this.#isStarted) void monitor.probe();
  }

  #drain(server: ModelServer): void {
    const draining: ModelServer = { ...server, state: "draining" };
    const cancelTimer = this.#clock.after(this.#drainMs, () => this.forget(server.id));
    this.#draining.set(server.id, { server: draining, cancelTimer });
    this.#tell({ kind: "upsert", server: draining });
  }

  #servers(): readonly ModelServer[] {
    const listed = [...this.#monitors.values()].map((monitor) => monitor.server);
    return [...listed, ...[...this.#draining.values()].map(({ server }) => server)];
  }

  #start(): void {
    if (this.#isStarted || this.#closing.signal.aborted) return;
    this.#isStarted = true;
    for (const monitor of this.#monitors.values()) void monitor.probe();
  }

  #tell(change: DiscoveryChange): void {
    if (!this.#closing.signal.aborted) this.#feed.announce(change);
  }

  #check(options: OperationOptions): void {
    this.#closing.signal.throwIfAborted();
    options.signal?.throwIfAborted();
  }
}

function probeBy(protocols: ReadonlyMap<string, Pick<ServerProtocol, "probe">>): ServerProbe {
  return async (server, options) => {
    const protocol = protocols.get(server.protocol);
    return protocol === undefined
      ? { ready: false, reason: "nobody speaks its protocol" }
      : protocol.probe(server, options);
  };
}

type Setting = keyof typeof DEFAULTS;

function checkedSettings(options: StaticDiscoveryOptions): Partial<Record<Setting, number>> {
  const known = new Set([...Object.keys(DEFAULTS), "servers", "probe", "clock"]);
  for (const name of Object.keys(options)) {
    if (!known.has(name)) throw invalid(name, "is not an option of the static discovery");
  }
  if (typeof options.probe !== "function" && typeof options.probe?.get !== "function") {
    throw invalid("probe", "must be a function or the protocols by name");
  }
  const given: Partial<Record<Setting, number>> = {};
  for (const name of Object.keys(DEFAULTS) as Setting[]) {
    const value = options[name];
    if (value === undefined) continue;
    const isAllowed = name === "maxProbes" ? Number.isInteger(value) && value >= 1 : value > 0;
    if (!(Number.isFinite(value) && (isAllowed || (name === "drainMs" && value === 0)))) {
      throw invalid(name, "must be a number above 0");
    }
    given[name] = value;
  }
  return given;
}

/** `work`, or the reason of the first signal that aborts before. */
async function unlessAborted(
  work: Promise<unknown>,
  ...signals: readonly (AbortSignal | undefined)[]
): Promise<void> {
  const given = signals.filter((signal) => signal !== undefined);
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(given.find((signal) => signal.aborted)?.reason);
  });
  for (const signal of given) signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([work, aborted]);
  } finally {
    for (const signal of given) signal.removeEventListener("abort", onAbort);
  }
}
