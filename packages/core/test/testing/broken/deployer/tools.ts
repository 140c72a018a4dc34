import type { DeployedServer, Deployer, LogLine } from "../../../../src/contracts/deployer.ts";
import { GatewayError, type GatewayErrorCode } from "../../../../src/errors.ts";
import type { MemoryDeployer } from "../../../../src/memory/deployer.ts";
import type { MemoryEngine } from "../../../../src/memory/deployer-engine.ts";
import type { MemoryServer } from "../../../../src/memory/deployer-types.ts";
import type { DeployerFixture } from "../../../../src/testing/deployer-kit/fixture.ts";
import { memoryFixture } from "../../deployer-fixtures.ts";
import type { PlantedFault } from "../lifecycle/failing-tests.ts";

export type DeployerFault = PlantedFault<DeployerFixture>;

/** What one deployer does otherwise. */
export type Change = (good: Deployer, engine: MemoryEngine) => Partial<Deployer>;

/** A deployer that does something else with some of its methods. */
export function planted(fault: string, breaks: string, change: Change): DeployerFault {
  return plantedForAll(fault, breaks, () => change);
}

/** The same, where those that share an engine share something else too. */
export function plantedForAll(fault: string, breaks: string, eachEngine: () => Change): DeployerFault {
  return {
    fault,
    breaks,
    open() {
      const change = eachEngine();
      return memoryFixture({
        wrap(deployer, engine) {
          const good = methodsOf(deployer);
          return { ...good, ...change(good, engine) };
        },
      });
    },
  };
}

/** A list, and what `create` resolves, in which servers are told of otherwise. */
export function told(
  fault: string,
  breaks: string,
  otherwise: (server: DeployedServer) => DeployedServer | undefined,
): DeployerFault {
  return planted(fault, breaks, (good) => ({
    list: async (installation, options) =>
      (await good.list(installation, options)).flatMap((server) => otherwise(server) ?? []),
  }));
}

export function serverOf(engine: MemoryEngine, id: string): MemoryServer | undefined {
  return engine.servers.find((server) => server.id === id);
}

/** Passes what `work` resolves, and lets `otherwise` deal with a rejection of this code. */
export async function unless<T>(
  code: GatewayErrorCode,
  work: Promise<T>,
  otherwise: (error: GatewayError) => T | Promise<T>,
): Promise<T> {
  return await work.catch((error: unknown) => {
    if (!GatewayError.is(error, code)) throw error;
    return otherwise(error);
  });
}

/** The lines of a log, each as `otherwise` says. */
export async function* linesAs(
  lines: AsyncIterable<LogLine>,
  otherwise: (line: LogLine) => LogLine | undefined,
): AsyncGenerator<LogLine> {
  for await (const line of lines) {
    const other = otherwise(line);
    if (other !== undefined) yield other;
  }
}

function methodsOf(good: MemoryDeployer): Deployer {
  return {
    capabilities: good.capabilities,
    prepare: (spec, identity, options) => good.prepare(spec, identity, options),
    create: (spec, identity, options) => good.create(spec, identity, options),
    start: (id, options) => good.start(id, options),
    remove: (id, options) => good.remove(id, options),
    list: (installation, options) => good.list(installation, options),
    logs: (id, options) => good.logs(id, options),
    watch: (installation, listener) => good.watch(installation, listener),
    close: () => good.close(),
  };
}
