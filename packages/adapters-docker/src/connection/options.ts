import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { invalidOption } from "@modelgate/core/adapter";
import { isSupported, LOWEST_API, parseVersion } from "./api-version.ts";

/** What is used of a client of the `dockerode` package that is handed in. */
export interface DockerClientLike {
  readonly modem: object;
}

/**
 * Where the engine is and how it is spoken to. With neither `client`, `socketPath` nor `host`, the environment says:
 * `DOCKER_HOST`, `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH`, and without them the usual sockets are looked for.
 */
export interface DockerConnectionOptions {
  /** A client of one's own instead of an address, over SSH for example. It is not closed. */
  readonly client?: DockerClientLike | undefined;
  /** Path of the engine's socket. */
  readonly socketPath?: string | undefined;
  /** `unix:///run/docker.sock`, `tcp://host:port`, `http://host:port` or `https://host:port`. */
  readonly host?: string | undefined;
  /** PEM texts: the authority to trust, and our own certificate with its key. Makes `tcp://` be TLS. */
  readonly tls?: DockerTlsOptions | undefined;
  /** The version of the API to speak. Default: the newest that both sides know, asked for with every connection. */
  readonly apiVersion?: string | undefined;
  /** For one call. Default 10 s. */
  readonly timeoutMs?: number | undefined;
}

export interface DockerTlsOptions {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** The options of a connection, by name, for whoever takes them among others of its own. */
export const CONNECTION_OPTIONS: readonly (keyof DockerConnectionOptions)[] = [
  "client",
  "socketPath",
  "host",
  "tls",
  "apiVersion",
  "timeoutMs",
];

export type EngineAddress =
  | { readonly kind: "client"; readonly client: DockerClientLike }
  | { readonly kind: "socket"; readonly socketPath: string }
  | {
      readonly kind: "tcp";
      readonly host: string;
      readonly port: number;
      readonly tls: DockerTlsOptions | undefined;
    };

/** The same, checked and filled in. */
export interface ConnectionSettings {
  readonly address: EngineAddress;
  readonly apiVersion: string | undefined;
  readonly timeoutMs: number;
}

const DEFAULT_TIMEOUT_MS = 10_000;
const LONGEST_MS = 2 ** 31 - 1;
const PLAIN_PORT = 2375;
const TLS_PORT = 2376;
const PEM = "-----BEGIN ";

/** Throws `INVALID_OPTIONS` that names the field, and never quotes what might be a secret. */
export function checkConnectionOptions(
  options: DockerConnectionOptions,
  environment: NodeJS.ProcessEnv = process.env,
): ConnectionSettings {
  const { apiVersion, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  if (!(Number.isFinite(timeoutMs) && timeoutMs > 0 && timeoutMs <= LONGEST_MS)) {
    throw invalidOption("timeoutMs", `is ${timeoutMs}; give milliseconds, above 0`);
  }
  if (apiVersion !== undefined && parseVersion(apiVersion) === undefined) {
    throw invalidOption("apiVersion", 'must be a version such as "1.43"');
  }
  if (apiVersion !== undefined && !isSupported(apiVersion)) {
    throw invalidOption("apiVersion", `is ${apiVersion}; give ${LOWEST_API} or a newer one`);
  }
  return { address: addressOf(options, environment), apiVersion, timeoutMs };
}

function addressOf(options: DockerConnectionOptions, environment: NodeJS.ProcessEnv): EngineAddress {
  const { client, socketPath, host, tls } = options;
  const given = Object.entries({ client, socketPath, host }).filter(([, value]) => value !== undefined);
  if (given.length > 1) {
    throw invalidOption(given[1]?.[0] ?? "host", `cannot stand beside ${given[0]?.[0]}; give one of them`);
  }
  if (tls !== undefined) checkTls(tls);
  if (client !== undefined) {
    const { dial } = (client?.modem ?? {}) as { readonly dial?: unknown };
    if (typeof dial !== "function") throw invalidOption("client", "must be a client of dockerode");
    if (tls !== undefined) throw invalidOption("tls", "cannot stand beside client; give it to the client");
    return { kind: "client", client };
  }
  if (socketPath !== undefined) {
    if (typeof socketPath !== "string" || socketPath === "")
      throw invalidOption("socketPath", "must be a path");
    if (tls !== undefined) throw invalidOption("tls", "cannot stand beside socketPath; give host");
    return { kind: "socket", socketPath };
  }
  if (host !== undefined) return parseHost("host", host, tls);
  return addressOfEnvironment(environment, tls);
}

function addressOfEnvironment(
  environment: NodeJS.ProcessEnv,
  tls: DockerTlsOptions | undefined,
): EngineAddress {
  const host = environment["DOCKER_HOST"];
  if (host === undefined || host === "") {
    if (tls !== undefined) throw invalidOption("tls", "needs host");
    return { kind: "socket", socketPath: usualSocket(environment) };
  }
  const isTls = (environment["DOCKER_TLS_VERIFY"] ?? "") !== "";
  const ofEnvironment = isTls && tls === undefined ? tlsOfEnvironment(environment) : tls;
  return parseHost("DOCKER_HOST", host, host.startsWith("unix:") ? undefined : ofEnvironment);
}

function tlsOfEnvironment(environment: NodeJS.ProcessEnv): DockerTlsOptions {
  const folder = environment["DOCKER_CERT_PATH"] || join(homedir(), ".docker");
  const read = (name: string): string => {
    try {
      return readFileSync(join(folder, name), "utf8");
    } catch {
      throw invalidOption(
        "DOCKER_CERT_PATH",
        `must be a folder with ca.pem, cert.pem and key.pem; no ${name} there`,
      );
    }
  };
  const tls = { ca: read("ca.pem"), cert: read("cert.pem"), key: read("key.pem") };
  checkTls(tls);
  return tls;
}

/** The first of the sockets that engines are known to make, or the commonest if there is none yet. */
function usualSocket(environment: NodeJS.ProcessEnv): string {
  const commonest = "/var/run/docker.sock";
  const runtime = environment["XDG_RUNTIME_DIR"] ?? "";
  const candidates = [
    commonest,
    ...(runtime === "" ? [] : [join(runtime, "docker.sock"), join(runtime, "podman/podman.sock")]),
    join(homedir(), ".docker/run/docker.sock"),
    join(homedir(), ".colima/default/docker.sock"),
  ];
  return candidates.find((path) => existsSync(path)) ?? commonest;
}

function parseHost(field: string, host: string, tls: DockerTlsOptions | undefined): EngineAddress {
  const fix = 'must be like "unix:///run/docker.sock", "tcp://host:2376" or "https://host:2376"';
  if (typeof host !== "string") throw invalidOption(field, fix);
  if (host.startsWith("unix://")) {
    const socketPath = host.slice("unix://".length);
    if (!socketPath.startsWith("/")) throw invalidOption(field, fix);
    if (tls !== undefined) throw invalidOption("tls", `cannot stand beside a socket in ${field}`);
    return { kind: "socket", socketPath };
  }
  // URL knows no port of tcp, and treats its host as opaque.
  const scheme = /^(tcp|https?):\/\//.exec(host)?.[1];
  const text = host.replace(/^tcp:/, "http:");
  if (scheme === undefined || !URL.canParse(text)) throw invalidOption(field, fix);
  const url = new URL(text);
  if (url.username + url.password !== "")
    throw invalidOption(field, "must have no credentials; engines check none");
  if (url.pathname !== "/" || url.search + url.hash !== "")
    throw invalidOption(field, "must end after the port");
  const isTls = scheme === "https" || tls !== undefined;
  if (scheme === "http" && tls !== undefined)
    throw invalidOption("tls", `needs tcp:// or https:// in ${field}`);
  return {
    kind: "tcp",
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    // A port that is the scheme's own is dropped by URL.
    port: Number(url.port) || Number(/:(\d+)\/?$/.exec(host)?.[1] ?? (isTls ? TLS_PORT : PLAIN_PORT)),
    tls: isTls ? (tls ?? {}) : undefined,
  };
}

function checkTls(tls: DockerTlsOptions): void {
  if (typeof tls !== "object" || tls === null)
    throw invalidOption("tls", "must be an object with ca, cert and key");
  for (const [name, value] of Object.entries(tls)) {
    if (!["ca", "cert", "key"].includes(name)) throw invalidOption(`tls.${name}`, "is not a part of tls");
    if (value !== undefined && !(typeof value === "string" && value.includes(PEM))) {
      throw invalidOption(`tls.${name}`, "must be a PEM text, not the name of its file");
    }
  }
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw invalidOption(
      tls.cert === undefined ? "tls.cert" : "tls.key",
      "is missing; give both cert and key",
    );
  }
}
