import type { Clock } from "../contracts/clock.ts";
import type { Discovery, DiscoveryChange, ModelServer } from "../contracts/discovery.ts";
import type { ServerWant } from "../contracts/ledger.ts";
import { ServerHealth } from "./server-health.ts";
import { SlotLimit } from "./slot-limit.ts";

/** A server with what this process has learnt about it. */
export interface KnownServer {
  server: ModelServer;
  readonly health: ServerHealth;
  readonly slots: SlotLimit;
  /** Attempts and direct requests of this process that take a slot on it. */
  inFlight: number;
  /** Those of them that are direct requests. */
  direct: number;
}

export interface ServerDirectoryOptions {
  readonly clock: Clock;
  readonly discoveries: readonly Discovery[];
  /** Slots of a server that does not say. */
  readonly defaultLimit: number;
  /** How long a model stays known after its last server went. */
  readonly modelMemoryMs: number;
  /** Protocols that can be spoken; servers of others are known and never called. */
  readonly speaks: (protocol: string) => boolean;
  /** Whether a server gets nothing new for now, whatever its state. */
  readonly isWithheld?: ((id: string) => boolean) | undefined;
  /** Something changed that may let work begin. */
  readonly onChange: (server: ModelServer, state: ModelServer["state"] | "removed") => void;
}

/** All servers that the discoveries tell of, merged by id, and which of them can be given work now. */
export class ServerDirectory {
  readonly #options: ServerDirectoryOptions;
  readonly #servers = new Map<string, KnownServer>();
  /** Servers by the discovery that tells of them, so that a snapshot replaces only its own. */
  readonly #sources = new Map<Discovery, Set<string>>();
  /** When each model was last served, by the monotonic clock. */
  readonly #lastSeenMs = new Map<string, number>();
  #stops: (() => void)[] = [];

  constructor(options: ServerDirectoryOptions) {
    this.#options = options;
  }

  /** Resolves after every discovery has told its first snapshot. */
  async start(): Promise<void> {
    this.#stops = await Promise.all(
      this.#options.discoveries.map((discovery) =>
        discovery.watch((change) => this.#apply(discovery, change)),
      ),
    );
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }

  get(id: string): KnownServer | undefined {
    return this.#servers.get(id);
  }

  all(): IterableIterator<KnownServer> {
    return this.#servers.values();
  }

  /** Whether some server is ready for the model. */
  hasReady(model: string): boolean {
    return this.readyFor(model) !== undefined;
  }

  /** A ready server of the model, one that is not paused if there is such a one. */
  readyFor(model: string): KnownServer | undefined {
    const nowMs = this.#options.clock.monotonic();
    let paused: KnownServer | undefined;
    for (const known of this.#servers.values()) {
      if (!this.#isReady(known) || !known.server.models.includes(model)) continue;
      if (!known.health.isPaused(nowMs)) return known;
      paused ??= known;
    }
    return paused;
  }

  /** Servers of the model that may be given something now; one that is paused may not mind. */
  openFor(model: string): KnownServer[] {
    const open: KnownServer[] = [];
    for (const known of this.#servers.values()) {
      if (!known.server.models.includes(model) || !this.#isReady(known)) continue;
      if (this.#options.isWithheld?.(known.server.id) !== true) open.push(known);
    }
    return open;
  }

  /** Whether work for the model is accepted: a server is listed for it, or was within the memory. */
  knows(model: string): boolean {
    const seenMs = this.#lastSeenMs.get(model);
    return seenMs !== undefined && this.#options.clock.monotonic() - seenMs <= this.#options.modelMemoryMs;
  }

  /** Protocols of the servers that are listed for the model now. */
  protocolsOf(model: string): ReadonlySet<string> {
    const names = new Set<string>();
    for (const { server } of this.#servers.values())
      if (server.models.includes(model)) names.add(server.protocol);
    return names;
  }

  /** Whether some server is listed for the model, ready or not. */
  hasListed(model: string): boolean {
    for (const { server } of this.#servers.values()) if (server.models.includes(model)) return true;
    return false;
  }

  /** Known models by name, with the servers listed for each. */
  models(): Map<string, KnownServer[]> {
    const models = new Map<string, KnownServer[]>();
    for (const model of this.#lastSeenMs.keys()) if (this.knows(model)) models.set(model, []);
    for (const known of this.#servers.values())
      for (const model of known.server.models) models.get(model)?.push(known);
    return new Map([...models].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** What can be asked for now, given how many attempts of this process still take a slot of each server. */
  wants(): ServerWant[] {
    const nowMs = this.#options.clock.monotonic();
    const wants: ServerWant[] = [];
    for (const { server, health, slots, inFlight, direct } of this.#servers.values()) {
      if (!this.#speaks(server) || server.state !== "ready" || health.isPaused(nowMs)) continue;
      if (this.#options.isWithheld?.(server.id) === true) continue;
      const max = Math.max(0, slots.value - inFlight);
      const background = !health.isBackgroundPaused(nowMs);
      if (max === 0 && !background) continue;
      const { id, instance, models, weight = 1 } = server;
      wants.push({
        server: id,
        instance,
        models,
        // The ledger counts attempts only.
        limit: Math.max(1, slots.value - direct),
        max,
        background,
        cost: slots.latencyMs / weight,
      });
    }
    return wants;
  }

  /** When the next pause ends, by the monotonic clock. */
  resumesAtMs(): number | undefined {
    const nowMs = this.#options.clock.monotonic();
    let earliest: number | undefined;
    for (const { health } of this.#servers.values()) {
      const endMs = health.resumesAtMs(nowMs);
      if (endMs !== undefined && (earliest === undefined || endMs < earliest)) earliest = endMs;
    }
    return earliest;
  }

  /** Whether ejecting it would leave one of its models without a server that can be given work. */
  isLast(id: string): boolean {
    const nowMs = this.#options.clock.monotonic();
    const models = this.#servers.get(id)?.server.models ?? [];
    return models.some((model) => {
      for (const known of this.#servers.values()) {
        if (
          known.server.id !== id &&
          this.#isReady(known) &&
          !known.health.isPaused(nowMs) &&
          known.server.models.includes(model)
        )
          return false;
      }
      return true;
    });
  }

  #isReady({ server }: KnownServer): boolean {
    return server.state === "ready" && this.#speaks(server);
  }

  #speaks(server: ModelServer): boolean {
    return this.#options.speaks(server.protocol);
  }

  #apply(discovery: Discovery, change: DiscoveryChange): void {
    const own = this.#sources.get(discovery) ?? new Set<string>();
    this.#sources.set(discovery, own);
    if (change.kind === "upsert") this.#upsert(own, change.server);
    else if (change.kind === "removed") this.#remove(own, change.id);
    else {
      const listed = new Set(change.servers.map((server) => server.id));
      for (const id of [...own]) if (!listed.has(id)) this.#remove(own, id);
      for (const server of change.servers) this.#upsert(own, server);
    }
  }

  #upsert(own: Set<string>, server: ModelServer): void {
    own.add(server.id);
    for (const model of server.models) this.#lastSeenMs.set(model, Number.POSITIVE_INFINITY);
    const known = this.#servers.get(server.id);
    const isNewInstance = known !== undefined && known.server.instance !== server.instance;
    if (known === undefined || isNewInstance) {
      const slots = new SlotLimit(server.limit, this.#options.defaultLimit);
      this.#servers.set(server.id, {
        server,
        slots,
        health: new ServerHealth(),
        inFlight: known?.inFlight ?? 0,
        direct: known?.direct ?? 0,
      });
    } else {
      if (known.server.limit !== server.limit) known.slots.redeclare(server.limit);
      this.#forgetModels(known.server.models, server.id);
      known.server = server;
      for (const model of server.models) this.#lastSeenMs.set(model, Number.POSITIVE_INFINITY);
    }
    this.#options.onChange(server, server.state);
  }

  #remove(own: Set<string>, id: string): void {
    own.delete(id);
    for (const others of this.#sources.values()) if (others.has(id)) return;
    const known = this.#servers.get(id);
    if (known === undefined) return;
    this.#servers.delete(id);
    this.#forgetModels(known.server.models, id);
    this.#options.onChange(known.server, "removed");
  }

  /** From now on these models are remembered only, unless another server lists them. */
  #forgetModels(models: readonly string[], exceptServer: string): void {
    const nowMs = this.#options.clock.monotonic();
    for (const model of models) {
      const isListed = [...this.#servers.values()].some(
        ({ server }) => server.id !== exceptServer && server.models.includes(model),
      );
      if (!isListed) this.#lastSeenMs.set(model, nowMs);
    }
  }
}
