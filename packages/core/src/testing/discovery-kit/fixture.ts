import assert from "node:assert/strict";
import type { Discovery, DiscoveryChange, ModelServer } from "../../contracts/discovery.ts";
import { settles, until } from "../checks/waiting.ts";
import type { KitFixture, KitTest } from "../kit/kit.ts";
import type { LifecycleParts } from "../lifecycle-kit/lifecycle-kit.ts";

/** A discovery, and the world that it looks at, which holds no server at first. */
export interface DiscoveryFixture extends KitFixture, LifecycleParts {
  readonly discovery: Discovery;
  /**
   * Starts a server that serves a model of this name and is ready, or not yet ready when `isReady` is false, which is
   * asked for only where there is `setReady`. Resolves its id.
   */
  readonly add: (model: string, isReady?: boolean) => Promise<string>;
  /** Ends a server. */
  readonly remove: (id: string) => Promise<void>;
  /** Asks a server to stop. It goes on with what it has until `remove` is called. */
  readonly drain?: ((id: string) => Promise<void>) | undefined;
  /** Makes a server ready for work, or not. */
  readonly setReady?: ((id: string, isReady: boolean) => Promise<void>) | undefined;
  /** Changes something that is known of a server, besides its state; resolves how that is told. */
  readonly change?: ((id: string) => Promise<Partial<ModelServer>>) | undefined;
  /** Starts a server anew under its id. Needed when `capabilities.instances`. */
  readonly restart?: ((id: string) => Promise<void>) | undefined;
  /** Another discovery of the same world, as another process has it. */
  readonly another?: (() => Promise<Discovery>) | undefined;
  /** Cuts the discovery off from where it learns of servers, runs `meanwhile`, and lets it connect again. */
  readonly interrupt?: ((meanwhile: () => Promise<void>) => Promise<void>) | undefined;
}

export type DiscoveryTest = KitTest<DiscoveryFixture>;

/** What one watcher was told, and what it therefore knows. */
export class Watcher {
  readonly changes: DiscoveryChange[] = [];
  readonly known: Map<string, ModelServer> = new Map();
  stop: () => void = () => {};

  /** Begins to watch; resolves when a snapshot was told, which ought to be when `watch` resolves. */
  static async of(discovery: Discovery): Promise<Watcher> {
    const watcher = new Watcher();
    watcher.stop = await settles("watch", discovery.watch(watcher.listener));
    await until("a snapshot is told", () => watcher.snapshots > 0);
    return watcher;
  }

  readonly listener = (change: DiscoveryChange): void => {
    this.changes.push(change);
    if (change.kind === "removed") this.known.delete(change.id);
    else if (change.kind === "upsert") this.known.set(change.server.id, change.server);
    else {
      this.known.clear();
      for (const server of change.servers) this.known.set(server.id, server);
    }
  };

  get snapshots(): number {
    return this.changes.filter(({ kind }) => kind === "snapshot").length;
  }

  stateOf(id: string): ModelServer["state"] | undefined {
    return this.known.get(id)?.state;
  }

  /** Waits until a server is known in this state. */
  async sees(id: string, state: ModelServer["state"]): Promise<void> {
    await until(`${id} is told as ${state}`, () => this.stateOf(id) === state);
  }

  /** Waits until a server is known no more. */
  async misses(id: string): Promise<void> {
    await until(`${id} is told as removed`, () => !this.known.has(id));
  }

  /** What was told of one server, in short. */
  storyOf(id: string): string[] {
    return this.changes.flatMap((change) => {
      if (change.kind === "removed") return change.id === id ? ["removed"] : [];
      const servers = change.kind === "snapshot" ? change.servers : [change.server];
      return servers.filter((server) => server.id === id).map(({ state }) => state);
    });
  }

  server(id: string): ModelServer {
    const server = this.known.get(id);
    assert.ok(server !== undefined, `${id} is not known`);
    return server;
  }
}
