import type { Discovery, DiscoveryChange, ModelServer } from "../../../../src/contracts/discovery.ts";
import { GatewayError } from "../../../../src/errors.ts";
import { type MemoryDiscovery, memoryDiscovery } from "../../../../src/memory/discovery.ts";
import type { DiscoveryFixture } from "../../../../src/testing/discovery-kit/fixture.ts";

type Listener = (change: DiscoveryChange) => void;

/** A discovery that learns of its servers from another one, over a connection that can be cut. */
export class RelayDiscovery implements Discovery {
  readonly capabilities: { readonly instances: boolean } = { instances: true };
  readonly #source: MemoryDiscovery;
  readonly #watchers = new Set<Listener>();
  #known = new Map<string, ModelServer>();
  #disconnect: (() => void) | undefined;
  #isClosed = false;

  constructor(source: MemoryDiscovery) {
    this.#source = source;
  }

  async watch(
    listener: Listener,
    { signal }: { signal?: AbortSignal | undefined } = {},
  ): Promise<() => void> {
    this.#check(signal);
    const own: Listener = (change) => listener(change);
    if (this.#disconnect === undefined) await this.connect();
    tell(own, { kind: "snapshot", servers: [...this.#known.values()] });
    this.#watchers.add(own);
    return () => void this.#watchers.delete(own);
  }

  async refresh({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    this.#check(signal);
    if (this.#disconnect === undefined) await this.connect();
  }

  async connect(): Promise<void> {
    this.#disconnect = await this.#source.watch((change) => this.receive(change));
  }

  disconnect(): void {
    this.#disconnect?.();
    this.#disconnect = undefined;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.disconnect();
    this.#watchers.clear();
  }

  protected receive(change: DiscoveryChange): void {
    if (change.kind === "removed") this.#known.delete(change.id);
    else if (change.kind === "upsert") this.#known.set(change.server.id, change.server);
    else this.#known = new Map(change.servers.map((server) => [server.id, server]));
    for (const watcher of [...this.#watchers]) if (this.#watchers.has(watcher)) tell(watcher, change);
  }

  #check(signal: AbortSignal | undefined): void {
    if (this.#isClosed) throw new GatewayError("CLOSED", "the relay is closed");
    signal?.throwIfAborted();
  }
}

function tell(listener: Listener, change: DiscoveryChange): void {
  try {
    listener(change);
  } catch {
    // Not the others' affair.
  }
}

/** A relay and its source, in which all can happen that the kit knows of. */
export function relayFixture(
  open: (source: MemoryDiscovery) => RelayDiscovery = (source) => new RelayDiscovery(source),
): DiscoveryFixture & { readonly discovery: RelayDiscovery } {
  const source = memoryDiscovery();
  const discovery = open(source);
  const others: RelayDiscovery[] = [];
  const world = worldOf(source);
  return {
    discovery,
    ...world,
    async another() {
      const other = open(source);
      others.push(other);
      return other;
    },
    async interrupt(meanwhile) {
      discovery.disconnect();
      await meanwhile();
      await discovery.connect();
    },
    async close() {
      for (const each of [discovery, ...others, source]) await each.close();
    },
  };
}

/** What can happen to servers that somebody tells a memory discovery of. */
export function worldOf(
  source: MemoryDiscovery,
): Pick<DiscoveryFixture, "add" | "remove" | "drain" | "setReady" | "change" | "restart"> {
  const servers = new Map<string, ModelServer>();
  let starts = 0;
  const set = (server: ModelServer): void => {
    servers.set(server.id, server);
    source.set(server);
  };
  const known = (id: string): ModelServer => servers.get(id) as ModelServer;
  return {
    async add(model, isReady = true) {
      const id = `server-${model}`;
      starts += 1;
      set({
        ...{ id, url: `memory:${model}`, models: [model], protocol: "memory" },
        ...{ state: isReady ? "ready" : "starting", instance: `boot-${starts}` },
      });
      return id;
    },
    async remove(id) {
      servers.delete(id);
      source.remove(id);
    },
    drain: async (id) => set({ ...known(id), state: "draining" }),
    setReady: async (id, isReady) => set({ ...known(id), state: isReady ? "ready" : "unhealthy" }),
    async change(id) {
      set({ ...known(id), limit: 3 });
      return { limit: 3 };
    },
    async restart(id) {
      starts += 1;
      set({ ...known(id), instance: `boot-${starts}` });
    },
  };
}
