import { cmsProtocol, type Discovery } from "@modelgate/core";
import { Watcher } from "../../../core/src/testing/discovery-kit/fixture.ts";
import {
  type DockerDiscoveryOptions,
  type DockerWarning,
  dockerDiscovery,
} from "../../src/discovery/index.ts";
import { PACE } from "../discovery/fixture.ts";
import { TestEngine } from "./test-engine.ts";

/** An engine's containers of one project, and discoveries that look at them. */
export class World {
  readonly engine: TestEngine;
  readonly warnings: DockerWarning[] = [];
  readonly #options: Partial<DockerDiscoveryOptions>;
  readonly #opened: { close(): Promise<void> }[] = [];

  constructor(socketPath: string, image: string, options: Partial<DockerDiscoveryOptions> = {}) {
    this.engine = new TestEngine({ socketPath }, image);
    this.#options = { socketPath, ...options };
  }

  discover(options: Partial<DockerDiscoveryOptions> = {}): Discovery {
    const protocol = cmsProtocol();
    const discovery = dockerDiscovery({
      probe: new Map([["cms", protocol]]),
      project: this.engine.project,
      onWarning: (warning) => this.warnings.push(warning),
      ...PACE,
      ...this.#options,
      ...options,
    });
    this.#opened.push(discovery, protocol);
    return discovery;
  }

  /** A watcher of a new discovery. */
  async watch(options: Partial<DockerDiscoveryOptions> = {}): Promise<Watcher> {
    return await Watcher.of(this.discover(options));
  }

  async close(): Promise<void> {
    await Promise.all(this.#opened.map((each) => each.close()));
    await this.engine.close();
  }
}

/** What was told of one server, state after state, without repetition. */
export function statesOf(watcher: Watcher, id: string): string[] {
  return watcher.storyOf(id).filter((state, at, all) => state !== all[at - 1]);
}
