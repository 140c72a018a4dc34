import type { Discovery } from "@modelgate/core";
import { cmsProtocol } from "@modelgate/core";
import type { DiscoveryFixture } from "@modelgate/core/testing";
import { vi } from "vitest";
import type { DockerConnectionOptions } from "../../src/connection/options.ts";
import { type DockerDiscoveryOptions, dockerDiscovery, serverIdOf } from "../../src/discovery/index.ts";
import { Relay } from "../support/relay.ts";
import { TestEngine, unique } from "../support/test-engine.ts";
import { exitCodeOf } from "./closing-process.ts";

export interface FixtureOptions {
  /** How the discovery speaks to the engine. */
  readonly connection: DockerConnectionOptions;
  /** How the test does, and where a relay leads. */
  readonly socketPath: string;
  readonly image: string;
  /** Whether the discovery is given a relay to the socket, instead of `connection`. */
  readonly isRelayed?: boolean | undefined;
  readonly publishedHost?: string | undefined;
}

/** Faster than the usual, so that tests need not wait. */
export const PACE = { intervalMs: 50, firstRetryMs: 10, maxRetryMs: 50, probeTimeoutMs: 2000 } as const;

/** The ids of the kit are those of servers; the engine has them without the prefix. */
const containerOf = (id: string): string => id.slice(serverIdOf("").length);

/** A discovery of one project's containers, and what may happen to them. */
export async function openFixture(options: FixtureOptions): Promise<DiscoveryFixture> {
  const engine = new TestEngine({ socketPath: options.socketPath }, options.image);
  const relay = options.isRelayed === true ? await Relay.to(options.socketPath) : undefined;
  const opened: { close(): Promise<void> }[] = [];
  const open = (parts: Partial<DockerDiscoveryOptions> = {}): Discovery => {
    const protocol = cmsProtocol();
    const discovery = dockerDiscovery({
      ...(relay === undefined ? options.connection : { socketPath: relay.socketPath }),
      probe: new Map([["cms", protocol]]),
      project: engine.project,
      publishedHost: options.publishedHost,
      ...PACE,
      ...parts,
    });
    opened.push(discovery, protocol);
    return discovery;
  };
  const discovery = open();
  const urls = new Map<string, string>();
  await discovery.watch((change) => {
    const servers =
      change.kind === "snapshot" ? change.servers : change.kind === "upsert" ? [change.server] : [];
    for (const { id, url } of servers) urls.set(id, url);
  });
  return {
    discovery,
    async add(model, isReady = true) {
      const name = unique(model);
      const id = await engine.run({
        name,
        labels: { "com.docker.compose.service": model },
        env: [`READY=${isReady ? 1 : 0}`],
      });
      return serverIdOf(id);
    },
    remove: (id) => engine.remove(containerOf(id)),
    async drain(id) {
      engine.act(containerOf(id), "stop?t=60").catch(() => {});
    },
    async setReady(id, isReady) {
      await tell(`${urls.get(id)}/${isReady ? "ready" : "unready"}`);
    },
    async change(id) {
      const memoryBytes = 256 * 1024 * 1024;
      await engine.connection.call({
        method: "POST",
        path: `/containers/${containerOf(id)}/update`,
        body: { Memory: memoryBytes, MemorySwap: memoryBytes },
      });
      return { room: { memoryBytes } };
    },
    restart: (id) => engine.act(containerOf(id), "restart?t=0"),
    another: async () => open(),
    ...(relay === undefined
      ? {}
      : {
          async interrupt(meanwhile) {
            await relay.cut();
            await meanwhile();
            await relay.open();
          },
          held: () => relay.connections,
          processThatCloses: () => exitCodeOf(options.socketPath),
        }),
    async close() {
      await Promise.all(opened.map((each) => each.close()));
      await engine.close();
      await relay?.close();
    },
  };
}

/** Tells a model server something; it may have been started a moment ago. */
export async function tell(url: string): Promise<void> {
  await vi.waitFor(() => fetch(url, { method: "POST", signal: AbortSignal.timeout(1000) }), 5000);
}
