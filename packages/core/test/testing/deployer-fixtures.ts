import type { Deployer, LogLine, ServerSpec } from "../../src/contracts/deployer.ts";
import { type MemoryDeployer, memoryDeployer } from "../../src/memory/deployer.ts";
import { type MemoryEngine, memoryEngine } from "../../src/memory/deployer-engine.ts";
import type { MemoryBehaviour, MemoryEngineOptions } from "../../src/memory/deployer-types.ts";
import { memoryDiscovery } from "../../src/memory/discovery.ts";
import type { DeployerFixture } from "../../src/testing/deployer-kit/fixture.ts";

const HANGS_MS = 100;

/** What the servers of these fixtures do is written in their variables, as in a real image for tests. */
const obedient: MemoryBehaviour = ({ env = {} }) => {
  const { LINES, EXIT_CODE, TAKES_BYTES, STUBBORN, UNSTARTABLE } = env;
  return {
    ...(LINES !== undefined && { lines: JSON.parse(LINES) as LogLine[] }),
    ...(EXIT_CODE !== undefined && { exit: { afterMs: 1, code: Number(EXIT_CODE) } }),
    ...(TAKES_BYTES !== undefined && { memoryBytes: Number(TAKES_BYTES) }),
    ...(STUBBORN !== undefined && { stopsAfterMs: Number.POSITIVE_INFINITY }),
    ...(UNSTARTABLE !== undefined && { startFailure: "its program is not in the image" }),
    readyAfterMs: 1,
  };
};

export interface MemoryFixtureOptions extends MemoryEngineOptions {
  /** Whether an outage is an engine that hangs, instead of one that refuses. */
  readonly hangs?: boolean | undefined;
  /** Makes another deployer of what is opened. */
  readonly wrap?: ((deployer: MemoryDeployer, engine: MemoryEngine) => Deployer) | undefined;
}

/** A deployer in memory, and a second one of the same engine. */
export function memoryFixture(options: MemoryFixtureOptions = {}): DeployerFixture {
  const { hangs = false, wrap = (deployer) => deployer, ...rest } = options;
  const discovery = memoryDiscovery();
  const engine = memoryEngine({
    ...{ discovery, behaviour: obedient, timeoutMs: HANGS_MS, images: { server: {} } },
    ...{ delays: { createMs: 1, startMs: 1, removeMs: 1, listMs: 0 } },
    ...rest,
  });
  const opened: Deployer[] = [];
  const open = (): Deployer => {
    const deployer = wrap(memoryDeployer({ engine }), engine);
    opened.push(deployer);
    return deployer;
  };
  const command = ["serve"];
  const spec = (parts: Partial<ServerSpec> = {}): ServerSpec => ({
    ...{ image: "server", port: 8000, command },
    ...parts,
  });
  let pulled = 0;
  return {
    deployer: open(),
    installation: "ours",
    spec,
    command,
    writer: (lines, exitCode) =>
      spec({
        env: {
          LINES: JSON.stringify(lines),
          ...(exitCode !== undefined && { EXIT_CODE: String(exitCode) }),
        },
      }),
    missingImage: "no-such-image",
    another: async () => open(),
    registry: {
      async image() {
        pulled += 1;
        engine.setImage(`pulled-${pulled}`, { isHere: false, pullMs: 10 });
        return `pulled-${pulled}`;
      },
      pulls: (image) => engine.pulls(image),
    },
    unstartable: () => spec({ env: { UNSTARTABLE: "1" } }),
    greedy: () => spec({ env: { TAKES_BYTES: "2000" }, limits: { memoryBytes: 1000 } }),
    stubborn: () => spec({ env: { STUBBORN: "1" } }),
    async stranger(model) {
      const id = engine.addStranger(model);
      return { id, isUntouched: async () => stateOf(engine, id) === "running" };
    },
    kill: async (id) => engine.kill(id),
    async received({ id }) {
      const found = engine.servers.find((server) => server.id === id);
      return { arguments: found?.spec.command ?? [], env: found?.spec.env ?? {} };
    },
    async interrupt(meanwhile) {
      engine.stopEngine({ hangs });
      await meanwhile();
      engine.startEngine();
    },
    discovery,
    async handedIn() {
      discovery.set({ id: "s", url: "memory:s", models: ["s"], protocol: "memory", state: "ready" });
      const other = open();
      await other.list("ours");
    },
    async close() {
      for (const deployer of opened) await deployer.close();
      await discovery.close();
    },
  };
}

function stateOf(engine: MemoryEngine, id: string): string | undefined {
  return engine.servers.find((server) => server.id === id)?.state;
}
