import type { Discovery, DiscoveryChange, ModelServer } from "../src/contracts/discovery.ts";
import type { SimProcess } from "./sim-process.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** What all processes hear of the servers, each change as late as its server's plan says. */
export class SharedDiscovery {
  readonly #time: VirtualTime;
  readonly #servers = new Map<string, ModelServer>();
  readonly #latest = new Map<string, number>();
  #changes = 0;
  readonly #listeners = new Set<{ process: SimProcess; tell: (change: DiscoveryChange) => void }>();

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  /** `undefined` takes the server off the list. */
  change(server: ModelServer | undefined, id: string, lagMs: number): void {
    this.#changes += 1;
    const number = this.#changes;
    this.#time.after(lagMs, () => {
      // A late word of an earlier change says nothing any more.
      if ((this.#latest.get(id) ?? 0) > number) return;
      this.#latest.set(id, number);
      if (server === undefined) this.#servers.delete(id);
      else this.#servers.set(id, server);
      const change: DiscoveryChange =
        server === undefined ? { kind: "removed", id } : { kind: "upsert", server };
      for (const { process, tell } of this.#listeners) process.deliver(() => tell(change));
    });
  }

  for(process: SimProcess): Discovery {
    return {
      capabilities: { instances: true },
      watch: (tell) =>
        new Promise((resolve) => {
          const listener = { process, tell };
          this.#time.after(1, () =>
            process.deliver(() => {
              this.#listeners.add(listener);
              process.onDeath(() => this.#listeners.delete(listener));
              tell({ kind: "snapshot", servers: [...this.#servers.values()] });
              resolve(() => this.#listeners.delete(listener));
            }),
          );
        }),
      refresh: async () => {},
      close: async () => {},
    };
  }
}
