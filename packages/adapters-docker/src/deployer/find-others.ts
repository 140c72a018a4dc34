import type { OperationOptions } from "@modelgate/core";
import { EngineConnection } from "../connection/connection.ts";
import { serverIdOf } from "../server-id.ts";
import { type Container, inspectContainer, listContainers } from "./containers.ts";
import { checkDeployerOptions, type DockerDeployerOptions } from "./options.ts";
import { isAnothers } from "./own-labels.ts";

/** A container that another gateway deployed. */
export interface OthersServer {
  readonly id: string;
  readonly serverId: string;
  readonly name: string;
  readonly model: string;
  readonly kind: "manual" | "auto";
  /** As its label says; undefined when that is no number. */
  readonly ttlSeconds: number | undefined;
  readonly modelUri: string | undefined;
  readonly createdAtMs: number;
  readonly isRunning: boolean;
  /** Its limits; 0 where it has none. */
  readonly memoryBytes: number;
  readonly cpus: number;
}

interface Inspected extends Container {
  readonly Created: string;
  readonly HostConfig: Container["HostConfig"] & { readonly Memory?: number; readonly NanoCpus?: number };
}

export interface FindOthersOptions extends OperationOptions {
  /** What the gateway writes as `labels.managedBy`; Cogstack's writes `cmg`. */
  readonly managedBy: string;
  /** Only those of this compose project. */
  readonly project?: string | undefined;
}

/** The containers that another gateway has deployed on an engine, in the order of their models. Changes nothing. */
export async function findOthersServers(
  options: DockerDeployerOptions,
  { managedBy, project, signal }: FindOthersOptions,
): Promise<readonly OthersServer[]> {
  const { labels } = checkDeployerOptions(options);
  const { client, socketPath, host, tls, apiVersion, timeoutMs } = options;
  const connection = new EngineConnection({ client, socketPath, host, tls, apiVersion, timeoutMs });
  try {
    const wanted = [`${labels.managedBy}=${managedBy}`];
    if (project !== undefined) wanted.push(`${labels.composeProject}=${project}`);
    const found: OthersServer[] = [];
    for (const { Id } of await listContainers(connection, { label: wanted }, { signal })) {
      const container = (await inspectContainer(connection, Id, { signal })) as Inspected | undefined;
      const written = container?.Config.Labels ?? {};
      if (container === undefined || !isAnothers(written, labels)) continue;
      const name = container.Name.slice(1);
      const ttl = written[labels.ttl]?.trim() ?? "";
      found.push({
        ...{ id: Id, serverId: serverIdOf(Id), name },
        model: written[labels.composeService]?.trim() || name,
        kind: written[labels.deploymentType] === "auto" ? "auto" : "manual",
        ttlSeconds: /^-?\d{1,10}$/.test(ttl) ? Number(ttl) : undefined,
        modelUri: written[labels.modelUri]?.trim() || undefined,
        createdAtMs: Date.parse(container.Created),
        isRunning: container.State.Running,
        memoryBytes: container.HostConfig.Memory ?? 0,
        cpus: (container.HostConfig.NanoCpus ?? 0) / 1e9,
      });
    }
    return found.sort((one, other) => (one.model < other.model ? -1 : 1));
  } finally {
    connection.close();
  }
}
