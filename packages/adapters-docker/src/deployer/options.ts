import type { ServerSpec } from "@modelgate/core";
import { invalidOption } from "@modelgate/core/adapter";
import { CONNECTION_OPTIONS, type DockerConnectionOptions } from "../connection/options.ts";
import { type DockerLabels, labelsFrom } from "../labels.ts";
import { checkPath, NETWORK } from "./check-spec.ts";
import {
  type CredentialSources,
  checkRegistries,
  type RegistryCredentials,
  usualDockerConfigFile,
} from "./registry-credentials.ts";

/** What a spec may leave to the deployer. */
export type SpecDefaults = Partial<
  Pick<
    ServerSpec,
    | "dropCapabilities"
    | "isRootReadOnly"
    | "limits"
    | "log"
    | "pull"
    | "reservations"
    | "restart"
    | "shmBytes"
    | "tmpfs"
    | "user"
  >
>;

export interface DockerDeployerOptions extends DockerConnectionOptions {
  /** Keys of labels other than the usual ones; a discovery of these servers needs the same. */
  readonly labels?: Partial<DockerLabels> | undefined;
  /** The network that servers join, under the name of their model. It must exist. Default: the engine's own bridge, where names mean nothing. */
  readonly network?: string | undefined;
  /** What the names of containers begin with, before the name of the model. Default: nothing, as the gateway of Cogstack has it. */
  readonly namePrefix?: string | undefined;
  /** Compose project whose services the servers are said to be. Default: none. */
  readonly project?: string | undefined;
  /** Credentials by the host of a registry, such as `registry.example:5000`; that of Docker Hub is `docker.io`. */
  readonly registries?: Readonly<Record<string, RegistryCredentials>> | undefined;
  /** A `config.json` of Docker that has further credentials and helpers; `true` for the one that Docker's command reads. */
  readonly dockerConfigFile?: string | true | undefined;
  /** Publishes each server's port on this address of the engine's host, at a port that the engine chooses. Default: not. */
  readonly publish?: { readonly hostAddress: string } | undefined;
  /** Folders of the engine's host that a spec may mount, with all below them. Default: none. */
  readonly allowedHostPaths?: readonly string[] | undefined;
  /** For specs that do not say. Default: no capabilities, 4,096 processes, 3 log files of 10 MiB. */
  readonly defaults?: SpecDefaults | undefined;
  /** For which processor images are, such as `linux/amd64`. Default: the engine's. */
  readonly platform?: string | undefined;
  /** How long a start may take. Default 60 s. */
  readonly startTimeoutMs?: number | undefined;
  /** How long a pull may go without a word of progress. Default 5 minutes. */
  readonly pullIdleTimeoutMs?: number | undefined;
}

/** The same, checked and filled in. */
export interface DeployerSettings {
  readonly labels: DockerLabels;
  readonly network: string | undefined;
  readonly namePrefix: string;
  readonly project: string | undefined;
  readonly credentials: CredentialSources;
  readonly hostAddress: string | undefined;
  readonly allowedHostPaths: readonly string[];
  readonly defaults: SpecDefaults;
  readonly platform: string | undefined;
  readonly startTimeoutMs: number;
  readonly pullIdleTimeoutMs: number;
}

const OWN_OPTIONS: readonly string[] = [
  "labels",
  "network",
  "namePrefix",
  "project",
  "registries",
  "dockerConfigFile",
  "publish",
  "allowedHostPaths",
  "defaults",
  "platform",
  "startTimeoutMs",
  "pullIdleTimeoutMs",
];
const DEFAULTS: readonly string[] = [
  "dropCapabilities",
  "isRootReadOnly",
  "limits",
  "log",
  "pull",
  "reservations",
  "restart",
  "shmBytes",
  "tmpfs",
  "user",
];
const MIB = 1024 * 1024;
const PREFIX = /^(?:[a-zA-Z0-9][a-zA-Z0-9_.-]*)?$/;
const PROJECT = /^[a-z0-9][a-z0-9_-]*$/;
const ADDRESS = /^[0-9a-fA-F.:]+$/;
const PLATFORM = /^[a-z0-9]+\/[a-z0-9_]+(?:\/[a-z0-9]+)?$/;
const LONGEST_MS = 2 ** 31 - 1;

/** Throws `INVALID_OPTIONS`, which names the field. */
export function checkDeployerOptions(options: DockerDeployerOptions): DeployerSettings {
  for (const name of Object.keys(options)) {
    if (![...OWN_OPTIONS, ...CONNECTION_OPTIONS].includes(name)) {
      throw invalidOption(name, "is not an option of the Docker deployer");
    }
  }
  const { network, namePrefix = "", project, publish, platform, defaults = {}, dockerConfigFile } = options;
  if (network !== undefined) matching(network, "network", NETWORK, "the name of a network of the engine");
  matching(
    namePrefix,
    "namePrefix",
    PREFIX,
    "of letters, digits, _, . and -, and begin with one of the first two",
  );
  if (project !== undefined) matching(project, "project", PROJECT, "the name of a compose project");
  if (publish !== undefined) {
    matching(publish.hostAddress, "publish.hostAddress", ADDRESS, 'an address, such as "127.0.0.1"');
  }
  if (platform !== undefined) matching(platform, "platform", PLATFORM, 'one such as "linux/amd64"');
  if (dockerConfigFile !== undefined && dockerConfigFile !== true) {
    matching(dockerConfigFile, "dockerConfigFile", /^[^\0]+$/s, "a path or true");
  }
  for (const name of Object.keys(defaults)) {
    if (!DEFAULTS.includes(name)) throw invalidOption(`defaults.${name}`, "is nothing that has a default");
  }
  return {
    labels: labelsFrom(options.labels),
    network,
    namePrefix,
    project,
    credentials: {
      registries: checkRegistries(options.registries),
      dockerConfigFile: dockerConfigFile === true ? usualDockerConfigFile() : dockerConfigFile,
    },
    hostAddress: publish?.hostAddress,
    allowedHostPaths: hostPaths(options.allowedHostPaths ?? []),
    defaults,
    platform,
    startTimeoutMs: milliseconds(options, "startTimeoutMs", 60_000),
    pullIdleTimeoutMs: milliseconds(options, "pullIdleTimeoutMs", 300_000),
  };
}

/** The spec with everything that has a default. */
export function withDefaults(spec: ServerSpec, { defaults }: DeployerSettings): ServerSpec {
  const given = Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== undefined));
  return {
    dropCapabilities: ["ALL"],
    log: { kind: "files", maxFileBytes: 10 * MIB, maxFiles: 3 },
    pull: "missing",
    restart: "no",
    ...defaults,
    ...(given as unknown as ServerSpec),
    limits: { pids: 4096, ...defaults.limits, ...spec.limits },
    reservations: { ...defaults.reservations, ...spec.reservations },
  };
}

function hostPaths(paths: readonly string[]): readonly string[] {
  return paths.map((path, index) => {
    try {
      return checkPath(path, `allowedHostPaths[${index}]`);
    } catch {
      throw invalidOption(
        `allowedHostPaths[${index}]`,
        "must be an absolute path without .. parts, and not the root",
      );
    }
  });
}

function matching(value: unknown, field: string, pattern: RegExp, what: string): void {
  if (typeof value !== "string" || value.length > 4096 || !pattern.test(value)) {
    throw invalidOption(field, `must be ${what}`);
  }
}

function milliseconds(
  options: DockerDeployerOptions,
  field: "startTimeoutMs" | "pullIdleTimeoutMs",
  fallback: number,
): number {
  const value = options[field] ?? fallback;
  if (typeof value === "number" && value > 0 && value <= LONGEST_MS) return value;
  throw invalidOption(
    field,
    `is ${typeof value === "number" ? value : typeof value}; give milliseconds, above 0`,
  );
}
