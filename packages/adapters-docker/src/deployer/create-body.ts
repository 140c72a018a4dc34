import type { DeploymentIdentity, LogTarget, ServerSpec, VolumeMount } from "@modelgate/core";
import { type DockerLabels, MANAGED_BY_US } from "../labels.ts";
import type { DeployerSettings } from "./options.ts";
import { ADDRESS_BY_PORT, SECRET_ENV_LABEL, TTL_LABEL } from "./own-labels.ts";

/** The networks that an engine has by itself; names mean nothing there. */
const OWN_NETWORKS = ["bridge", "default"];
/** What the engine calls one CPU's share; it halves nothing by itself as long as there is room. */
const SHARES_OF_A_CPU = 1024;

export function containerName({ model }: DeploymentIdentity, { namePrefix }: DeployerSettings): string {
  return namePrefix + model;
}

export function networkOf(spec: ServerSpec, settings: DeployerSettings): string | undefined {
  const network = spec.network ?? settings.network;
  return network === undefined || OWN_NETWORKS.includes(network) ? undefined : network;
}

/** What `POST /containers/create` is sent, for a spec with its defaults. */
export function createBody(
  spec: ServerSpec,
  identity: DeploymentIdentity,
  settings: DeployerSettings,
): Readonly<Record<string, unknown>> {
  const { command, env = {}, port, user } = spec;
  const network = networkOf(spec, settings);
  const inside = `${port}/tcp`;
  return {
    Image: spec.image,
    // As the entry point, since an image's own would take the program for an argument.
    ...(command !== undefined && { Entrypoint: [...command], Cmd: [] }),
    Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    Labels: labelsOf(spec, identity, settings),
    ExposedPorts: { [inside]: {} },
    ...(user !== undefined && { User: user }),
    HostConfig: {
      ...hostConfig(spec),
      ...(network !== undefined && { NetworkMode: network }),
      ...(settings.hostAddress !== undefined && {
        PortBindings: { [inside]: [{ HostIp: settings.hostAddress, HostPort: "" }] },
      }),
    },
    ...(network !== undefined && {
      NetworkingConfig: { EndpointsConfig: { [network]: { Aliases: [identity.model] } } },
    }),
  };
}

function hostConfig(spec: ServerSpec): Record<string, unknown> {
  const { limits = {}, reservations = {}, volumes = [], tmpfs = [], dropCapabilities = [], shmBytes } = spec;
  const { memoryBytes, cpus, pids } = limits;
  return {
    // The first process of a container neither reaps orphans nor dies of a signal that it does not handle.
    Init: true,
    CapDrop: [...dropCapabilities],
    SecurityOpt: ["no-new-privileges:true"],
    RestartPolicy: { Name: spec.restart ?? "no" },
    LogConfig: logConfig(spec.log),
    ReadonlyRootfs: spec.isRootReadOnly ?? false,
    ...(volumes.length > 0 && { Mounts: volumes.map(mountOf) }),
    ...(tmpfs.length > 0 && { Tmpfs: Object.fromEntries(tmpfs.map((path) => [path, ""])) }),
    ...(shmBytes !== undefined && { ShmSize: shmBytes }),
    ...(pids !== undefined && { PidsLimit: pids }),
    // The same again for memory and swap together means: no swap.
    ...(memoryBytes !== undefined && { Memory: memoryBytes, MemorySwap: memoryBytes }),
    ...(cpus !== undefined && { NanoCpus: Math.round(cpus * 1e9) }),
    ...(reservations.memoryBytes !== undefined && { MemoryReservation: reservations.memoryBytes }),
    ...(reservations.cpus !== undefined && {
      CpuShares: Math.max(2, Math.round(reservations.cpus * SHARES_OF_A_CPU)),
    }),
    ...deviceRequests(spec.gpus ?? limits.gpus ?? 0),
  };
}

/** As a mount, since the engine's older `source:target` cannot hold a colon and makes folders that are missing. */
function mountOf({ source, target, isReadOnly = false }: VolumeMount): Record<string, unknown> {
  const Type = source.startsWith("/") ? "bind" : "volume";
  return { Type, Source: source, Target: target, ReadOnly: isReadOnly };
}

function logConfig(log: LogTarget = { kind: "files" }): Record<string, unknown> {
  if (log.kind === "gelf") {
    const { address, tag } = log;
    return { Type: "gelf", Config: { "gelf-address": address, ...(tag !== undefined && { tag }) } };
  }
  const { maxFileBytes = 10 * 1024 * 1024, maxFiles = 3 } = log;
  return { Type: "json-file", Config: { "max-size": `${maxFileBytes}`, "max-file": `${maxFiles}` } };
}

function deviceRequests(gpus: number | "all" | readonly string[]): Record<string, unknown> {
  const Capabilities = [["gpu"]];
  if (gpus === "all") return { DeviceRequests: [{ Count: -1, Capabilities }] };
  if (typeof gpus === "number") return gpus === 0 ? {} : { DeviceRequests: [{ Count: gpus, Capabilities }] };
  return gpus.length === 0 ? {} : { DeviceRequests: [{ DeviceIDs: [...gpus], Capabilities }] };
}

function labelsOf(
  spec: ServerSpec,
  identity: DeploymentIdentity,
  settings: DeployerSettings,
): Record<string, string> {
  const { installation, model, generation, kind, ttlMs, modelUri } = identity;
  const { labels: keys, project, hostAddress } = settings;
  const ours: Partial<Record<keyof DockerLabels, string | undefined>> = {
    modelServe: model,
    modelUri: modelUri ?? "",
    composeProject: project,
    composeService: project === undefined ? undefined : model,
    managedBy: MANAGED_BY_US,
    deploymentType: kind,
    ttl: ttlMs === undefined ? "-1" : `${Math.ceil(ttlMs / 1000)}`,
    installation,
    generation,
    model,
    port: `${spec.port}`,
    network: networkOf(spec, settings),
    address: hostAddress === undefined ? undefined : ADDRESS_BY_PORT,
  };
  const written: Record<string, string> = { ...spec.labels };
  for (const [name, value] of Object.entries(ours)) {
    if (value !== undefined) written[keys[name as keyof DockerLabels]] = value;
  }
  // Seconds are for other tools.
  written[TTL_LABEL] = ttlMs === undefined ? "" : `${ttlMs}`;
  written[SECRET_ENV_LABEL] = JSON.stringify(spec.secretEnv ?? []);
  return written;
}
