import { type Deployer, type DeploymentIdentity, GatewayError, type ServerSpec } from "@modelgate/core";
import { EngineConnection } from "../connection/connection.ts";
import { checkIdentity, checkSpec } from "./check-spec.ts";
import { createServer } from "./create-server.ts";
import { Images } from "./images.ts";
import { checkNumber } from "./invalid.ts";
import { Servers } from "./list-servers.ts";
import { Names } from "./names.ts";
import { checkDeployerOptions, type DockerDeployerOptions, withDefaults } from "./options.ts";
import { readLogs } from "./read-logs.ts";
import { removeServer } from "./remove-server.ts";
import { startServer } from "./start-server.ts";
import { watchServers } from "./watch-servers.ts";

const LONGEST_GRACE_MS = 24 * 3_600_000;

/**
 * Servers as containers of a Docker Engine. Connects at the first call; any number of processes may use the engine.
 * Throws `INVALID_OPTIONS`.
 */
export function dockerDeployer(options: DockerDeployerOptions = {}): Deployer {
  const settings = checkDeployerOptions(options);
  const connection = new EngineConnection(connectionOf(options));
  const { labels } = settings;
  const names = new Names(connection, settings);
  const images = new Images(connection, settings);
  const servers = new Servers(connection, images, labels);
  const closing = new AbortController();

  const begin = (signal?: AbortSignal): void => {
    if (closing.signal.aborted) throw closed();
    signal?.throwIfAborted();
  };
  const check = (given: ServerSpec, identity: DeploymentIdentity): ServerSpec => {
    const spec = withDefaults(given, settings);
    checkSpec(spec, settings);
    checkIdentity(identity, settings);
    return spec;
  };

  return {
    capabilities: { limits: true, gpus: true, logs: true },
    async prepare(given, identity, { signal, onProgress } = {}) {
      begin(signal);
      const spec = check(given, identity);
      await names.requireNetwork(spec, { signal });
      await names.requireFree(spec, identity, { signal });
      await images.ensure(spec, { signal, onProgress });
    },
    async create(given, identity, { signal } = {}) {
      begin(signal);
      const spec = check(given, identity);
      await names.requireNetwork(spec, { signal });
      await names.requireFree(spec, identity, { signal });
      return await createServer(connection, images, settings, spec, identity, { signal });
    },
    async start(id, { installation, isAdopted, signal }) {
      begin(signal);
      await startServer(connection, settings, id, { installation, isAdopted, signal });
    },
    async remove(id, { installation, graceMs, isAdopted, signal }) {
      begin(signal);
      checkNumber(graceMs, "graceMs", 0, LONGEST_GRACE_MS);
      await removeServer(connection, labels, id, { installation, graceMs, isAdopted, signal });
    },
    async list(installation, { adopted, signal } = {}) {
      begin(signal);
      return await servers.list(installation, { adopted, signal });
    },
    logs: (id, logOptions) => readLogs(connection, labels, id, logOptions),
    watch(installation, listener) {
      begin();
      const stopping = new AbortController();
      const stop = (): void => {
        closing.signal.removeEventListener("abort", stop);
        stopping.abort();
      };
      closing.signal.addEventListener("abort", stop);
      void watchServers(connection, labels, installation, listener, stopping.signal);
      return stop;
    },
    async close() {
      if (closing.signal.aborted) return;
      closing.abort();
      connection.close();
    },
  };
}

function connectionOf({
  client,
  socketPath,
  host,
  tls,
  apiVersion,
  timeoutMs,
}: DockerDeployerOptions): object {
  return { client, socketPath, host, tls, apiVersion, timeoutMs };
}

function closed(): GatewayError {
  return new GatewayError("CLOSED", "the Docker deployer is closed");
}
