import type { Discovery, DiscoveryChange, ModelServer } from "../contracts/discovery.ts";
import { GatewayError } from "../errors.ts";
import { openness } from "../openness.ts";

/** Servers that somebody tells it of. */
export interface MemoryDiscovery extends Discovery {
  /** Adds a server, or replaces what is known of it. Throws `CLOSED`. */
  set(server: ModelServer): void;
  /** Forgets a server; an unknown id is ignored. Throws `CLOSED`. */
  remove(id: string): void;
}

type Listener = (change: DiscoveryChange) => void;

/** A discovery whose servers are what it is told, ready when it is told so; it probes nothing. */
export function memoryDiscovery(servers: Iterable<ModelServer> = []): MemoryDiscovery {
  const known = new Map<string, ModelServer>();
  for (const server of servers) known.set(server.id, server);
  const watchers = new Set<Listener>();
  const untold: { readonly change: DiscoveryChange; readonly to: readonly Listener[] }[] = [];
  const guard = openness("memory discovery", () => watchers.clear());
  let isTelling = false;

  /** A listener that itself causes a change is told of it after the one that it is being told of. */
  function announce(change: DiscoveryChange): void {
    untold.push({ change, to: [...watchers] });
    if (isTelling) return;
    isTelling = true;
    for (let next = untold.shift(); next !== undefined; next = untold.shift()) {
      for (const listener of next.to) if (watchers.has(listener)) tell(listener, next.change);
    }
    isTelling = false;
  }

  function requireOpen(): void {
    if (guard.isClosed) throw new GatewayError("CLOSED", "the memory discovery is closed");
  }

  return {
    capabilities: { instances: true },
    watch: guard.wrap(async (listener) => {
      const own: Listener = (change) => listener(change);
      tell(own, { kind: "snapshot", servers: [...known.values()] });
      watchers.add(own);
      return () => {
        watchers.delete(own);
      };
    }),
    refresh: guard.wrap(async () => {}),
    set(server) {
      requireOpen();
      known.set(server.id, server);
      announce({ kind: "upsert", server });
    },
    remove(id) {
      requireOpen();
      if (known.delete(id)) announce({ kind: "removed", id });
    },
    close: guard.close,
  };
}

function tell(listener: Listener, change: DiscoveryChange): void {
  try {
    listener(change);
  } catch {
    // The contract forbids it; the other watchers must not pay for it.
  }
}
