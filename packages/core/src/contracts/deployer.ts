import type { Closable, OperationOptions } from "./common.ts";

/** Who asked for a deployment: a person, with an absolute time to live, or the first task for an on-demand model. */
export type DeploymentKind = "manual" | "auto";

/** What a server takes of its host. */
export interface Room {
  readonly memoryBytes: number;
  /** In CPUs; 0.5 is half of one. */
  readonly cpus: number;
  readonly gpus: number;
}

/** A directory of the host, or a named volume, inside the server. */
export interface VolumeMount {
  /** An absolute path of the host, or the name of a volume. */
  readonly source: string;
  /** An absolute path inside. */
  readonly target: string;
  readonly isReadOnly?: boolean | undefined;
}

/** Where the server's output goes. */
export type LogTarget =
  /** Files of the engine's own, which `logs` can read; the oldest is dropped. Default 10 MiB each, 3 of them. */
  | {
      readonly kind: "files";
      readonly maxFileBytes?: number | undefined;
      readonly maxFiles?: number | undefined;
    }
  /** A GELF receiver, `udp://host:port` or `tcp://host:port`. */
  | { readonly kind: "gelf"; readonly address: string; readonly tag?: string | undefined };

/**
 * A server to be started. Every text reaches the server byte for byte: nothing is ever read by a shell. A text with a
 * NUL, or one that the engine cannot keep, is refused with `INVALID_REQUEST`, which names the field.
 */
export interface ServerSpec {
  /** Name of an image, with a tag or a digest. */
  readonly image: string;
  /** Program and arguments, one item each. Default: the image's own. */
  readonly command?: readonly string[] | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Further labels, for people and other tools; those of the deployer win. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** The network that it joins. Default: the deployer's. */
  readonly network?: string | undefined;
  /** The port on which it listens inside. */
  readonly port: number;
  readonly volumes?: readonly VolumeMount[] | undefined;
  /** `unless-stopped`: the engine starts it again after a crash or a reboot. Default: `no`. */
  readonly restart?: "no" | "unless-stopped" | undefined;
  /** What it may take at most. */
  readonly limits?: (Partial<Room> & { readonly pids?: number | undefined }) | undefined;
  /** What is kept for it. */
  readonly reservations?: Partial<Room> | undefined;
  /** Graphics cards: how many, all of them, or which. */
  readonly gpus?: number | "all" | readonly string[] | undefined;
  readonly isRootReadOnly?: boolean | undefined;
  /** Paths that are writable and in memory. */
  readonly tmpfs?: readonly string[] | undefined;
  /** Default: `["ALL"]`. */
  readonly dropCapabilities?: readonly string[] | undefined;
  /** `user`, `uid` or `uid:gid`. Default: the image's own. */
  readonly user?: string | undefined;
  /** Shared memory. Default: the engine's. */
  readonly shmBytes?: number | undefined;
  readonly log?: LogTarget | undefined;
  /** When the image is looked up in its registry. Default: `missing`. */
  readonly pull?: "missing" | "always" | "never" | undefined;
  /** Values of `env` whose names are here are secrets: no log tail, error or listing ever shows them. */
  readonly secretEnv?: readonly string[] | undefined;
}

/** Which deployment a server is. Every server that a deployer makes says so, where the engine keeps it. */
export interface DeploymentIdentity {
  /** Whose it is; only those of the own installation are ever stopped or removed. */
  readonly installation: string;
  readonly model: string;
  /** Unique for each deployment; never used twice. */
  readonly generation: string;
  readonly kind: DeploymentKind;
  /** Time to live as it was asked for, in milliseconds, for people; absent means for ever. */
  readonly ttlMs?: number | undefined;
  /** Where the model comes from, for people. */
  readonly modelUri?: string | undefined;
}

/**
 * A server that another gateway started, and that this installation has taken over. What an engine keeps of a server
 * cannot be changed, so that whoever has taken it over says so with each call.
 */
export interface AdoptedServer extends DeploymentIdentity {
  readonly id: string;
}

/** What concerns a server that may be an adopted one. */
export interface AdoptedOptions {
  /**
   * It was taken over: it carries the marks of another gateway and no installation. One that carries neither, or
   * another installation's, is still refused with `NOT_OURS`.
   */
  readonly isAdopted?: boolean | undefined;
}

export interface ListServersOptions extends OperationOptions {
  /** They are listed, too, if they are there and as they must be. */
  readonly adopted?: readonly AdoptedServer[] | undefined;
}

/**
 * - `created`: it exists and was not started.
 * - `running`: its process runs; whether it is ready is for the discovery to say.
 * - `stopped`: its process ended.
 */
export type DeployedState = "created" | "running" | "stopped";

/** A server of one installation, as its engine knows it. */
export interface DeployedServer extends DeploymentIdentity {
  /** By which the engine knows it: what is stopped and removed is named by nothing else. */
  readonly id: string;
  /** The id under which a discovery of the same engine lists it. */
  readonly serverId: string;
  readonly name: string;
  readonly state: DeployedState;
  /**
   * How it ended, when it is stopped, or when its engine is about to start it again; `message` says what the engine
   * knows of why, in words without secrets.
   */
  readonly exit?:
    | { readonly code: number; readonly isOutOfMemory: boolean; readonly message?: string | undefined }
    | undefined;
  /** Of the image that it runs. */
  readonly imageDigest?: string | undefined;
}

/** How far the preparation of an image is. */
export interface PrepareProgress {
  readonly phase: "waiting" | "pulling" | "unpacking" | "ready";
  /** Of the layers whose size is known so far. */
  readonly doneBytes?: number | undefined;
  readonly totalBytes?: number | undefined;
}

export interface PrepareOptions extends OperationOptions {
  readonly onProgress?: ((progress: PrepareProgress) => void) | undefined;
}

export interface RemoveOptions extends OperationOptions, AdoptedOptions {
  readonly installation: string;
  /** Between asking it to stop and killing it. */
  readonly graceMs: number;
}

/** One line that a server wrote. */
export interface LogLine {
  readonly stream: "stdout" | "stderr";
  readonly text: string;
}

export interface LogOptions extends OperationOptions, AdoptedOptions {
  readonly installation: string;
  /** How many of the last lines come first. Default 100. */
  readonly tail?: number | undefined;
  /** Whether to go on until the server ends. Default `false`. */
  readonly follow?: boolean | undefined;
}

/**
 * Starts and removes servers on an engine. It keeps no state of its own: what exists is what the engine says, and any
 * number of processes may use the same engine.
 *
 * 1. A model has at most one server of a name: `create` gives it a name that follows from the model alone, so that of
 *    two calls one meets `NAME_TAKEN`.
 * 2. Nothing is stopped or removed that does not carry the installation named, or was adopted by it.
 * 3. Each step may be repeated: starting what runs and removing what is gone succeed.
 *
 * Every method rejects `DEPLOYER_UNAVAILABLE` when the engine does not answer in time, and `DEPLOYER_REFUSED` when it
 * answers that it will not.
 */
export interface Deployer extends Closable {
  readonly capabilities: {
    /** Whether `limits` are enforced by the engine. */
    readonly limits: boolean;
    readonly gpus: boolean;
    readonly logs: boolean;
  };
  /**
   * Makes the image be there. Calls for the same image share one pull. Rejects `INVALID_REQUEST` for a spec that no
   * engine could run, `IMAGE_MISSING`, `REGISTRY_REFUSED`, `HOST_FULL`, and `NAME_TAKEN` when somebody else's server
   * answers to the model's name.
   */
  prepare(spec: ServerSpec, identity: DeploymentIdentity, options?: PrepareOptions): Promise<void>;
  /**
   * Makes the server, not started. Rejects as `prepare`; and `NAME_TAKEN` when the name is in use by whomever, with
   * `details.holder`, the id of the server of this installation that has it, if it is one.
   */
  create(spec: ServerSpec, identity: DeploymentIdentity, options?: OperationOptions): Promise<DeployedServer>;
  /** Starts it; one that runs is left alone. Rejects `START_FAILED`, `HOST_FULL`, `DEPLOYMENT_UNKNOWN`. */
  start(
    id: string,
    options: OperationOptions & AdoptedOptions & { readonly installation: string },
  ): Promise<void>;
  /** Stops and removes it, whatever its state; resolves when it is gone. Rejects `NOT_OURS` for another's. */
  remove(id: string, options: RemoveOptions): Promise<void>;
  /** All servers of the installation, in whatever state; says of the stopped ones how they ended. */
  list(installation: string, options?: ListServersOptions): Promise<readonly DeployedServer[]>;
  /** What it wrote, oldest first; values of secret variables are masked. Rejects `UNSUPPORTED`, `NOT_OURS`, `DEPLOYMENT_UNKNOWN`. */
  logs(id: string, options: LogOptions): AsyncIterable<LogLine>;
  /** Calls `listener` when something of the installation may have changed. A hint: may be lost or repeated. */
  watch(installation: string, listener: () => void): () => void;
}
