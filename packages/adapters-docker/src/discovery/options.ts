import {
  checkNames,
  checkProbeOptions,
  invalidOption,
  PROBE_OPTIONS,
  type ProbeOptions,
  type ProbeSettings,
} from "@modelgate/core/adapter";
import { CONNECTION_OPTIONS, type DockerConnectionOptions } from "../connection/options.ts";
import { type DockerLabels, labelsFrom } from "../labels.ts";
import { ADDRESS_KINDS, type AddressKind } from "./address.ts";
import type { DescribeSettings } from "./describe-container.ts";

/** Something about a container that was left out because it could not be followed. */
export interface DockerWarning {
  /** Id of the container. */
  readonly id: string;
  readonly container: string;
  /** The key of the label that is wrong; absent when it is no label. */
  readonly label?: string | undefined;
  readonly problem: string;
}

/** All durations in milliseconds. */
export interface DockerDiscoveryOptions extends DockerConnectionOptions, ProbeOptions {
  /** Other keys of labels than the usual ones. */
  readonly labels?: Partial<DockerLabels> | undefined;
  /** Whether only containers with the label `org.cogstack.model-serve` are servers. Default `true`. */
  readonly onlyLabelled?: boolean | undefined;
  /** Only containers of this compose project. Default: of any, or of none. */
  readonly project?: string | undefined;
  /** The network by whose addresses containers are reached. Default: one that can be reached from here. */
  readonly network?: string | undefined;
  /**
   * Whether containers are reached by their own addresses or by ports that the host publishes. Default `auto`: by their
   * own where that works from here, which is in a container of the same network, and on the engine's host; else by
   * published ports. `name` calls them by the container's name, from a container of the same network; `proxy` calls
   * `proxyUrl`.
   */
  readonly address?: AddressKind | undefined;
  /**
   * For the address `proxy`: where a reverse proxy has the servers, with `{model}`, the model's name, or `{name}`, the
   * container's, in its path or host: `https://proxy/cms/{model}`.
   */
  readonly proxyUrl?: string | undefined;
  /** Where published ports are reached. Default: the engine's host, or `127.0.0.1` when it is spoken to over a socket. */
  readonly publishedHost?: string | undefined;
  /** The port that servers listen on inside. Default: the lowest TCP port that a container exposes or publishes. */
  readonly port?: number | undefined;
  /** The protocol of servers that name none. Default `cms`. */
  readonly protocol?: string | undefined;
  /** How long the engine may go unlistened to before all is listed again, to be sure. Default 60 s. */
  readonly listIntervalMs?: number | undefined;
  /** After this time a server that was asked to stop, and did not, is given work again. Default 10 min. */
  readonly drainMs?: number | undefined;
  /** Called for every label or address that cannot be followed, once for each container. */
  readonly onWarning?: ((warning: DockerWarning) => void) | undefined;
}

/** The same, checked and filled in, without what the connection and the probes take. */
export interface DiscoverySettings extends DescribeSettings {
  readonly probing: ProbeSettings;
  readonly publishedHost: string | undefined;
  /** Labels that a container must have, as the engine's filter takes them. */
  readonly required: readonly string[];
  readonly listIntervalMs: number;
  readonly drainMs: number;
  readonly onWarning: (warning: DockerWarning) => void;
}

const OWN_OPTIONS: readonly (keyof DockerDiscoveryOptions)[] = [
  ...(["labels", "onlyLabelled", "project", "network", "address", "proxyUrl"] as const),
  ...(["publishedHost", "port", "protocol", "listIntervalMs", "drainMs", "onWarning"] as const),
];

/** Throws `INVALID_OPTIONS` that names the field. */
export function checkDiscoveryOptions(options: DockerDiscoveryOptions): DiscoverySettings {
  checkNames(options, [...CONNECTION_OPTIONS, ...PROBE_OPTIONS, ...OWN_OPTIONS], "Docker discovery");
  const { address = "auto", onlyLabelled = true, port, onWarning = () => {} } = options;
  if (!ADDRESS_KINDS.includes(address)) {
    throw invalidOption("address", `must be one of ${ADDRESS_KINDS.join(", ")}`);
  }
  const proxyUrl = text("proxyUrl", options.proxyUrl);
  if ((address === "proxy") !== (proxyUrl !== undefined)) {
    throw invalidOption("proxyUrl", 'goes with address "proxy", which needs it; give both, or neither');
  }
  if (proxyUrl !== undefined && !isProxyUrl(proxyUrl)) {
    throw invalidOption("proxyUrl", "must be an http or https address with {model} or {name} in it");
  }
  if (typeof onlyLabelled !== "boolean") throw invalidOption("onlyLabelled", "must be true or false");
  if (port !== undefined && !(Number.isInteger(port) && port >= 1 && port <= 65_535)) {
    throw invalidOption("port", `is ${port}; give a number from 1 to 65535`);
  }
  if (typeof onWarning !== "function") throw invalidOption("onWarning", "must be a function");
  const labels = labelsFrom(options.labels);
  const project = text("project", options.project);
  return {
    probing: checkProbeOptions(options),
    labels,
    required: [
      ...(onlyLabelled ? [labels.modelServe] : []),
      ...(project === undefined ? [] : [`${labels.composeProject}=${project}`]),
    ],
    network: text("network", options.network),
    address,
    proxyUrl,
    publishedHost: text("publishedHost", options.publishedHost),
    port,
    protocol: text("protocol", options.protocol) ?? "cms",
    listIntervalMs: duration("listIntervalMs", options.listIntervalMs ?? 60_000),
    drainMs: duration("drainMs", options.drainMs ?? 600_000),
    onWarning,
  };
}

function isProxyUrl(template: string): boolean {
  const filled = template.replace(/\{(model|name)\}/g, "a");
  return filled !== template && /^https?:\/\//.test(filled) && URL.canParse(filled);
}

function text(field: string, value: string | undefined): string | undefined {
  if (value === undefined || (typeof value === "string" && value !== "")) return value;
  throw invalidOption(field, "must be a text that is not empty");
}

function duration(field: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw invalidOption(field, `is ${value}; give milliseconds, above 0`);
}
