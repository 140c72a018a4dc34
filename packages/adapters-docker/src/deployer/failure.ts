import { GatewayError, type GatewayErrorCode } from "@modelgate/core";

/** Why something did not come about, as a caller is told. */
export interface Failure {
  readonly code: GatewayErrorCode;
  readonly message: string;
  /** `field` of a spec, or `exitCode`. */
  readonly details?: Readonly<Record<string, string | number>> | undefined;
}

/** How the engine says that a server ended. */
export interface EndedState {
  readonly exitCode: number;
  readonly isOutOfMemory: boolean;
  /** The engine's own words, where it could not start it. */
  readonly error?: string | undefined;
}

const DISK_FULL = /no space left on device|disk quota exceeded|not enough space/i;
const MEMORY_FULL = /cannot allocate memory/i;

export const PROGRAM_MISSING: Failure = {
  code: "START_FAILED",
  message: "program not found in the image; check command",
};
export const PROGRAM_REFUSED: Failure = {
  code: "START_FAILED",
  message:
    "the program in the image may not be run by this user; check command, user and the image's file modes",
};

/** What the engine's words on a start that failed mean. */
const START: readonly (readonly [pattern: RegExp, code: GatewayErrorCode, message: string])[] = [
  [DISK_FULL, "HOST_FULL", "the disk of the engine's host is full"],
  [MEMORY_FULL, "HOST_FULL", "the engine's host has no memory left"],
  [
    /could not select device driver|nvidia-container-cli|unresolvable CDI devices|unknown runtime.*nvidia/i,
    "START_FAILED",
    "the engine's host has no driver for these graphics cards; install the NVIDIA Container Toolkit there, or ask for none",
  ],
  [
    /executable file not found|no such file or directory.*(?:exec|process)|exec:? .*no such file or directory/i,
    PROGRAM_MISSING.code,
    PROGRAM_MISSING.message,
  ],
  [
    /exec format error/i,
    "START_FAILED",
    "the program is for another kind of processor than the engine's host has; use an image for it",
  ],
  [
    /exec:? .*permission denied|permission denied.*exec|is a directory/i,
    PROGRAM_REFUSED.code,
    PROGRAM_REFUSED.message,
  ],
  [
    /argument list too long/i,
    "START_FAILED",
    "command and env are longer than the host allows; shorten them",
  ],
  [
    /unable to find (?:user|group)|no matching entries in (?:passwd|group) file|linux spec user/i,
    "START_FAILED",
    "the image has no such user; check user, or give it as a number",
  ],
  [
    /port is already allocated|address already in use|failed programming external connectivity/i,
    "START_FAILED",
    "the port to be published is taken on the engine's host",
  ],
  [
    /network \S+ not found|could not find.*network/i,
    "START_FAILED",
    "its network does not exist any more; make it again",
  ],
  [
    /error mounting|mount.*(?:denied|no such file)|bind source path does not exist/i,
    "START_FAILED",
    "a volume could not be mounted; check volumes",
  ],
  [
    /logging driver|gelf|failed to initialize logging/i,
    "START_FAILED",
    "its log could not be opened; check log",
  ],
];

/** Why the engine did not start it, given its answer. */
export function startFailure(reason: string): Failure {
  const known = START.find(([pattern]) => pattern.test(reason));
  if (known !== undefined) return { code: known[1], message: known[2] };
  return { code: "START_FAILED", message: `the engine could not start it: ${brief(reason)}` };
}

/** Why a server that has ended did, for people. */
export function endFailure({ exitCode, isOutOfMemory, error }: EndedState): Failure {
  if (error) return startFailure(error);
  const details = { exitCode };
  // The kernel may also have killed something else in it, after which the server gave up by itself.
  if (isOutOfMemory) {
    return {
      code: "OUT_OF_MEMORY",
      message: "it took more memory than limits.memoryBytes allows, and was killed; give it more",
      details,
    };
  }
  return {
    code: "SERVER_EXITED",
    message: `it ended with exit code ${exitCode}${explained(exitCode)}`,
    details,
  };
}

function explained(exitCode: number): string {
  if (exitCode === 0) return ", that is, as if its work were done; a server has to stay";
  if (exitCode === 126) return ": its program may not be run; check command and the image's file modes";
  if (exitCode === 127) return ": its program or one that it calls was not found in the image; check command";
  if (exitCode === 137) return ": it was killed, by somebody or by a host without memory";
  if (exitCode === 139) return ": it crashed, as it used memory that is not its own";
  if (exitCode === 143) return ": it was asked to stop";
  return exitCode > 128 && exitCode < 160 ? `, by signal ${exitCode - 128}` : "";
}

/** What the engine's words on an image that it could not get mean. */
export function pullFailure(status: number | undefined, reason: string, hadCredentials: boolean): Failure {
  if (DISK_FULL.test(reason)) {
    return { code: "HOST_FULL", message: "the disk of the engine's host is full; remove images there" };
  }
  if (/toomanyrequests|too many requests|rate limit/i.test(reason)) {
    return {
      code: "REGISTRY_REFUSED",
      message: "the registry allows no more pulls for now; give it credentials, or come back later",
    };
  }
  if (/no matching manifest|does not match the specified platform/i.test(reason)) {
    return { code: "IMAGE_MISSING", message: "the registry has no such image for the engine's platform" };
  }
  if (/no basic auth credentials|unauthorized|authentication required|denied|forbidden/i.test(reason)) {
    // A registry that hides what it has says the same of an image that does not exist.
    if (hadCredentials && /repository does not exist/i.test(reason)) {
      return {
        code: "IMAGE_MISSING",
        message: "the registry has no such image, or does not show it to this user",
      };
    }
    return {
      code: "REGISTRY_REFUSED",
      message: hadCredentials
        ? "the registry refused the credentials"
        : "the registry wants credentials, or has no such image; give it registries or dockerConfigFile",
    };
  }
  if (
    /manifest unknown|name unknown|name_unknown|repository name not known|unknown blob|blob unknown|not found|no such image/i.test(
      reason,
    )
  ) {
    // A name that no resolver knows is also said to be "not found".
    const isHost = /no such host|lookup /i.test(reason);
    if (!isHost) return { code: "IMAGE_MISSING", message: "the registry has no such image" };
  }
  if (
    /no such host|connection refused|network is unreachable|no route to host|timeout|timed out|deadline exceeded|tls:|x509|certificate|EOF|connection reset|server gave HTTP response|lookup |proxyconnect/i.test(
      reason,
    )
  ) {
    return {
      code: "REGISTRY_REFUSED",
      message: `the engine has no connection to the registry: ${brief(reason)}`,
    };
  }
  if (status === 400 || /invalid reference format/i.test(reason)) {
    return {
      code: "INVALID_REQUEST",
      message: "image is no name that the engine takes",
      details: { field: "image" },
    };
  }
  return { code: "DEPLOYER_REFUSED", message: `the engine could not pull the image: ${brief(reason)}` };
}

/** What the engine's words on a server that it would not make mean. */
export function createFailure(status: number, reason: string): Failure {
  if (DISK_FULL.test(reason)) return { code: "HOST_FULL", message: "the disk of the engine's host is full" };
  if (status === 404 && /no such image/i.test(reason)) {
    return { code: "IMAGE_MISSING", message: "the engine does not have the image; prepare it first" };
  }
  const field = CREATE_FIELDS.find(([pattern]) => pattern.test(reason))?.[1];
  if (field !== undefined) {
    return { code: "INVALID_REQUEST", message: `${field}: ${brief(reason)}`, details: { field } };
  }
  return { code: "DEPLOYER_REFUSED", message: `the engine would not make it: ${brief(reason)}` };
}

const CREATE_FIELDS: readonly (readonly [pattern: RegExp, field: string])[] = [
  [/range of cpus|nano ?cpus/i, "limits.cpus"],
  [/memory reservation/i, "reservations.memoryBytes"],
  [/minimum memory limit/i, "limits.memoryBytes"],
  [/shm ?size/i, "shmBytes"],
  [/pids limit/i, "limits.pids"],
  [/invalid mount|bind source path|invalid volume|volume name/i, "volumes"],
  [/unknown capability|invalid CapDrop/i, "dropCapabilities"],
  [/log.*opt|logging driver|gelf/i, "log"],
  [/network .* not found/i, "network"],
  [/container name/i, "model"],
];

export function errorOf({ code, message, details }: Failure, cause?: unknown): GatewayError {
  return new GatewayError(code, message, { cause, details });
}

/** Of the engine's own words, enough to understand it. They never hold a variable's value. */
function brief(reason: string): string {
  const line = reason.replace(/\s+/g, " ").trim();
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}
