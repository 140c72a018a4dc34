import type { Room } from "@modelgate/core";
import { numberOf, recordOf, recordsOf, textOf } from "./json-fields.ts";

/** What is used of an inspected container, in one shape for all versions of the API. */
export interface ContainerFacts {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly state: "running" | "paused" | "stopped";
  /** As the engine writes it; another one with every start. */
  readonly startedAt: string;
  /** What its health check says, if it has one. */
  readonly health: string | undefined;
  /** The signal that asks it to stop, if it is not the usual one. */
  readonly stopSignal: string | undefined;
  /** `host`, `container:<id>`, or the first network's name. */
  readonly networkMode: string;
  readonly networks: readonly ContainerNetwork[];
  /** TCP ports that are exposed, lowest first. */
  readonly ports: readonly ContainerPort[];
  readonly room: Partial<Room>;
}

export interface ContainerNetwork {
  readonly id: string;
  readonly name: string;
  /** Empty while it does not run. */
  readonly address: string;
}

export interface ContainerPort {
  readonly port: number;
  readonly published: readonly { readonly hostAddress: string; readonly hostPort: number }[];
}

/** Undefined when the answer is of no container. */
export function factsOf(inspected: unknown): ContainerFacts | undefined {
  const found = recordOf(inspected);
  const id = textOf(found["Id"]);
  if (id === "") return undefined;
  const [config, state, host] = [
    recordOf(found["Config"]),
    recordOf(found["State"]),
    recordOf(found["HostConfig"]),
  ];
  return {
    id,
    name: textOf(found["Name"]).replace(/^\//, ""),
    image: textOf(config["Image"]),
    labels: labelsOf(config["Labels"]),
    state: stateOf(state),
    startedAt: textOf(state["StartedAt"]),
    health: textOf(recordOf(state["Health"])["Status"]) || undefined,
    stopSignal: textOf(config["StopSignal"]) || undefined,
    networkMode: textOf(host["NetworkMode"]),
    networks: networksOf(found["NetworkSettings"]),
    ports: portsOf(found["NetworkSettings"], config["ExposedPorts"]),
    room: roomOf(host),
  };
}

function labelsOf(value: unknown): Readonly<Record<string, string>> {
  const labels = Object.entries(recordOf(value)).map(([key, text]) => [key, textOf(text)] as const);
  return Object.fromEntries(labels);
}

/** The addresses of the networks; the one beside them, of older engines, is the default network's again. */
export function networksOf(settings: unknown): readonly ContainerNetwork[] {
  return Object.entries(recordOf(recordOf(settings)["Networks"])).map(([name, value]) => {
    const network = recordOf(value);
    const address = textOf(network["IPAddress"]) || textOf(network["GlobalIPv6Address"]);
    return { id: textOf(network["NetworkID"]), name, address };
  });
}

function stateOf(state: Readonly<Record<string, unknown>>): ContainerFacts["state"] {
  if (state["Running"] !== true || state["Restarting"] === true) return "stopped";
  return state["Paused"] === true ? "paused" : "running";
}

function portsOf(settings: unknown, exposed: unknown): readonly ContainerPort[] {
  const bindings = recordOf(recordOf(settings)["Ports"]);
  const names = new Set([...Object.keys(bindings), ...Object.keys(recordOf(exposed))]);
  const ports = [...names].flatMap((name) => {
    const [port, protocol = "tcp"] = name.split("/");
    if (protocol !== "tcp" || !/^\d+$/.test(port ?? "")) return [];
    const published = recordsOf(bindings[name]).flatMap((binding) => {
      const hostPort = Number(textOf(binding["HostPort"]));
      return hostPort > 0 ? [{ hostAddress: textOf(binding["HostIp"]), hostPort }] : [];
    });
    return [{ port: Number(port), published }];
  });
  return ports.toSorted((one, other) => one.port - other.port);
}

function roomOf(host: Readonly<Record<string, unknown>>): Partial<Room> {
  const memoryBytes = numberOf(host["Memory"]);
  const period = numberOf(host["CpuPeriod"]) || 100_000;
  const cpus = numberOf(host["NanoCpus"]) / 1e9 || Math.max(0, numberOf(host["CpuQuota"])) / period;
  const gpus = gpusOf(host["DeviceRequests"]);
  return {
    ...(memoryBytes > 0 ? { memoryBytes } : {}),
    ...(cpus > 0 ? { cpus } : {}),
    ...(gpus > 0 ? { gpus } : {}),
  };
}

/** All of the host's, which is a count of -1, is not known as a number here. */
function gpusOf(requests: unknown): number {
  return recordsOf(requests)
    .filter(({ Capabilities }) => JSON.stringify(Capabilities ?? []).includes('"gpu"'))
    .map(({ Count, DeviceIDs }) =>
      Array.isArray(DeviceIDs) ? DeviceIDs.length : Math.max(0, numberOf(Count)),
    )
    .reduce((sum, count) => sum + count, 0);
}
