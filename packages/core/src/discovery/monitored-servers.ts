import PQueue from "p-queue";
import type { DiscoveryChange, ModelServer } from "../contracts/discovery.ts";
import { ChangeFeed } from "./change-feed.ts";
import type { ProbeSettings } from "./probe-settings.ts";
import type { ServerEntry } from "./server-entry.ts";
import { type MonitorContext, ServerMonitor } from "./server-monitor.ts";

/**
 * The servers that a discovery knows: probes each, from `start` on, and tells watchers what changes. How the discovery
 * learns of them is its own affair.
 */
export class MonitoredServers {
  readonly #context: MonitorContext;
  readonly #feed = new ChangeFeed();
  readonly #monitors = new Map<string, ServerMonitor>();
  readonly #draining = new Map<string, ModelServer>();
  #isStarted = false;
  #isClosed = false;

  constructor(settings: ProbeSettings) {
    const queue = new PQueue({ concurrency: settings.maxProbes });
    this.#context = {
      clock: settings.clock,
      pace: settings,
      probeTimeoutMs: settings.probeTimeoutMs,
      probe: settings.probe,
      // However many servers hang, one that works is looked at next.
      inTurn: (work, isReady) => queue.add(work, { priority: isReady ? 1 : 0 }),
      onChange: (server) => this.#tell({ kind: "upsert", server }),
    };
  }

  /** Tells `listener` a snapshot, and every change from then on, until the function returned is called. */
  watch(listener: (change: DiscoveryChange) => void): () => void {
    return this.#feed.watch(listener, this.servers());
  }

  /** Every server, those that drain among them. */
  servers(): readonly ModelServer[] {
    return [...[...this.#monitors.values()].map(({ server }) => server), ...this.#draining.values()];
  }

  isDraining(id: string): boolean {
    return this.#draining.has(id);
  }

  /** Begins to probe. */
  start(): void {
    if (this.#isStarted || this.#isClosed) return;
    this.#isStarted = true;
    for (const monitor of this.#monitors.values()) void monitor.probe();
  }

  /** Probes every server now; resolves when all have been judged. */
  async probe(): Promise<void> {
    this.#isStarted = true;
    await Promise.all([...this.#monitors.values()].map((monitor) => monitor.probe()));
  }

  /**
   * Adds a server, or takes a new description of it. One with another address, protocol or instance begins anew as
   * `starting`, and so does one that drained.
   */
  set(entry: ServerEntry): void {
    const known = this.#monitors.get(entry.id);
    if (known?.isAt(entry) === true) this.#update(known, entry);
    else this.#begin(entry, (server) => this.#tell({ kind: "upsert", server }));
  }

  /** Tells a server as `draining`, and probes it no more. Returns whether it is known and did not drain before. */
  drain(id: string): boolean {
    const monitor = this.#monitors.get(id);
    if (monitor === undefined) return false;
    this.#end(id);
    const server: ModelServer = { ...monitor.server, state: "draining" };
    this.#draining.set(id, server);
    this.#tell({ kind: "upsert", server });
    return true;
  }

  /** Forgets a server. Returns whether it was known. */
  remove(id: string): boolean {
    if (!this.#monitors.has(id) && !this.#draining.has(id)) return false;
    this.#end(id);
    this.#tell({ kind: "removed", id });
    return true;
  }

  /**
   * Takes all servers that there are, after an interruption, and tells them as a new snapshot. What is known of those
   * that are still the same stays; those in `draining` stay as they were told.
   */
  replace(entries: readonly ServerEntry[], draining: ReadonlySet<string> = new Set()): void {
    const ids = new Set(entries.map(({ id }) => id));
    for (const id of [...this.#monitors.keys()]) if (!ids.has(id)) this.#end(id);
    for (const id of [...this.#draining.keys()]) if (!ids.has(id) && !draining.has(id)) this.#end(id);
    const resumed: (() => void)[] = [];
    for (const entry of entries) {
      const known = this.#monitors.get(entry.id);
      if (known?.isAt(entry) === true) resumed.push(() => this.#update(known, entry));
      else this.#begin(entry, () => {});
    }
    this.#tell({ kind: "snapshot", servers: this.servers() });
    for (const resume of resumed) resume();
  }

  close(): void {
    this.#isClosed = true;
    for (const monitor of this.#monitors.values()) monitor.stop();
    this.#feed.close();
  }

  #begin(entry: ServerEntry, tell: (server: ModelServer) => void): void {
    this.#monitors.get(entry.id)?.stop();
    this.#draining.delete(entry.id);
    const monitor = new ServerMonitor(entry, this.#context);
    this.#monitors.set(entry.id, monitor);
    if (this.#isClosed) return;
    tell(monitor.server);
    if (this.#isStarted) void monitor.probe();
  }

  #update(monitor: ServerMonitor, entry: ServerEntry): void {
    const wasSuspended = monitor.isSuspended;
    monitor.update(entry);
    if (wasSuspended && !monitor.isSuspended && this.#isStarted) void monitor.probe();
  }

  #end(id: string): void {
    this.#monitors.get(id)?.stop();
    this.#monitors.delete(id);
    this.#draining.delete(id);
  }

  #tell(change: DiscoveryChange): void {
    if (!this.#isClosed) this.#feed.announce(change);
  }
}
