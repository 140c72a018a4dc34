import type { DeploymentIdentity, ServerSpec, VolumeMount } from "@modelgate/core";
import { parseImageName } from "./image-name.ts";
import { checkNumber, checkText, checkWhole, invalidRequest } from "./invalid.ts";

/** What a deployer allows beyond what the engine does. */
export interface SpecRules {
  readonly namePrefix: string;
  /** Folders of the host that may be mounted, with all below them. */
  readonly allowedHostPaths: readonly string[];
}

const MODEL = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
const LONGEST_MODEL = 255;
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
/** The engine would understand `host`, `none` and `container:x` as ways around a network. */
export const NETWORK: RegExp = /^(?!(?:host|none)$)[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
const USER = /^[a-zA-Z0-9_][a-zA-Z0-9_.-]*(?::[a-zA-Z0-9_][a-zA-Z0-9_.-]*)?$/;
const CAPABILITY = /^[A-Z][A-Z_]*$/;
const CARD = /^[a-zA-Z0-9][a-zA-Z0-9/_.:=-]*$/;
const LEAST_MEMORY_BYTES = 6 * 1024 * 1024;
const MOST_BYTES = Number.MAX_SAFE_INTEGER;
const MOST_CPUS = 4096;
/** Of all arguments and variables together; beyond it Linux starts no program (a quarter of its 8 MiB of stack). */
const MOST_TEXT_BYTES = 2 * 1024 * 1024;

/** Throws `INVALID_REQUEST`, which names the field, for what no engine could run or the rules do not allow. */
export function checkSpec(spec: ServerSpec, rules: SpecRules): void {
  parseImageName(spec.image);
  checkTexts(spec);
  if (spec.network !== undefined) checkNetwork(spec.network);
  checkWhole(spec.port, "port", 1, 65_535);
  checkVolumes(spec.volumes ?? [], rules);
  oneOf(spec.restart ?? "no", "restart", ["no", "unless-stopped"]);
  oneOf(spec.pull ?? "missing", "pull", ["missing", "always", "never"]);
  checkRoom(spec);
  checkGpus(spec);
  for (const [index, path] of (spec.tmpfs ?? []).entries()) checkPath(path, `tmpfs[${index}]`);
  for (const [index, name] of (spec.dropCapabilities ?? []).entries()) {
    if (typeof name !== "string" || !CAPABILITY.test(name)) {
      throw invalidRequest(
        `dropCapabilities[${index}]`,
        'must be the name of one, such as "NET_RAW", or "ALL"',
      );
    }
  }
  if (spec.user !== undefined && (spec.user.length > 255 || !USER.test(spec.user))) {
    throw invalidRequest("user", 'must be a name, an id or "uid:gid"');
  }
  if (spec.shmBytes !== undefined) checkWhole(spec.shmBytes, "shmBytes", 65_536, MOST_BYTES);
  checkLog(spec.log);
}

/** Throws `INVALID_REQUEST` for an identity that an engine cannot keep or name a server after. */
export function checkIdentity(identity: DeploymentIdentity, rules: SpecRules): void {
  const { model, kind, ttlMs, modelUri } = identity;
  if (typeof model !== "string" || model.length > LONGEST_MODEL || !MODEL.test(model)) {
    throw invalidRequest(
      "model",
      `must be 1 to ${LONGEST_MODEL} characters of a-z, A-Z, 0-9, _, . and -, of which the first is a letter or a digit`,
    );
  }
  if (!NAME.test(rules.namePrefix + model)) {
    throw invalidRequest(
      "model",
      "has one character, and names of containers have two at least; set namePrefix",
    );
  }
  filled(identity.installation, "installation");
  filled(identity.generation, "generation");
  oneOf(kind, "kind", ["manual", "auto"]);
  if (ttlMs !== undefined) checkNumber(ttlMs, "ttlMs", 0, MOST_BYTES);
  if (modelUri !== undefined) checkText(modelUri, "modelUri");
}

function checkTexts({ command, env = {}, labels = {}, secretEnv = [] }: ServerSpec): void {
  let sizeBytes = 0;
  if (command !== undefined) {
    if (command.length === 0 || command[0] === "")
      throw invalidRequest("command", "must begin with a program");
    for (const [index, text] of command.entries()) {
      sizeBytes += Buffer.byteLength(checkText(text, `command[${index}]`)) + 1;
    }
  }
  for (const [name, value] of Object.entries(env)) {
    if (name === "" || name.includes("=") || name.includes("\0") || !name.isWellFormed()) {
      throw invalidRequest(
        "env",
        "has a variable whose name is empty or has a =, a NUL or half of a surrogate pair",
      );
    }
    checkText(value, `env.${name}`);
    sizeBytes += Buffer.byteLength(checkText(`${name}=${value}`, `env.${name}`)) + 1;
  }
  if (sizeBytes > MOST_TEXT_BYTES) {
    throw invalidRequest("command", `and env have more than ${MOST_TEXT_BYTES} bytes together; shorten them`);
  }
  for (const [name, value] of Object.entries(labels)) {
    if (name === "" || name.includes("\0") || !name.isWellFormed()) {
      throw invalidRequest("labels", "has one whose name is empty or has a NUL or half of a surrogate pair");
    }
    checkText(value, `labels.${name}`);
  }
  for (const [index, name] of secretEnv.entries()) filled(name, `secretEnv[${index}]`);
}

function checkNetwork(network: string): void {
  if (typeof network === "string" && NETWORK.test(network)) return;
  throw invalidRequest("network", "must be the name or the id of a network of the engine");
}

function checkVolumes(volumes: readonly VolumeMount[], { allowedHostPaths }: SpecRules): void {
  const targets = new Set<string>();
  for (const [index, { source, target }] of volumes.entries()) {
    const field = `volumes[${index}]`;
    if (typeof source === "string" && source.startsWith("/")) {
      const path = checkPath(source, `${field}.source`);
      const isAllowed = allowedHostPaths.some(
        (allowed) => path === allowed || path.startsWith(`${allowed}/`),
      );
      if (!isAllowed) {
        throw invalidRequest(
          `${field}.source`,
          "is a path of the host that allowedHostPaths of the deployer lacks",
        );
      }
    } else if (typeof source !== "string" || !NAME.test(source) || source.length > 255) {
      throw invalidRequest(
        `${field}.source`,
        "must be an absolute path of the host, or the name of a volume",
      );
    }
    const place = checkPath(target, `${field}.target`);
    if (targets.has(place))
      throw invalidRequest(`${field}.target`, "is the target of another volume as well");
    targets.add(place);
  }
}

/** An absolute path that is written as it is meant: without `.`, `..`, `//` and a slash at its end. */
export function checkPath(value: unknown, field: string): string {
  const path = checkText(value, field, 4095);
  const parts = path.split("/").slice(1);
  if (path.startsWith("/") && parts.every((part) => part !== "" && part !== "." && part !== ".."))
    return path;
  throw invalidRequest(field, "must be an absolute path without empty, . or .. parts, and not the root");
}

function checkRoom({ limits = {}, reservations = {} }: ServerSpec): void {
  for (const [field, room] of Object.entries({ limits, reservations })) {
    if (room.memoryBytes !== undefined) {
      checkWhole(room.memoryBytes, `${field}.memoryBytes`, LEAST_MEMORY_BYTES, MOST_BYTES);
    }
    if (room.cpus !== undefined) checkNumber(room.cpus, `${field}.cpus`, 0.01, MOST_CPUS);
    if (room.gpus !== undefined) checkWhole(room.gpus, `${field}.gpus`, 0, 1024);
  }
  if (limits.pids !== undefined) checkWhole(limits.pids, "limits.pids", 1, 4_194_304);
  for (const what of ["memoryBytes", "cpus", "gpus"] as const) {
    if ((reservations[what] ?? 0) > (limits[what] ?? Number.POSITIVE_INFINITY)) {
      throw invalidRequest(`reservations.${what}`, `is more than limits.${what}`);
    }
  }
}

function checkGpus({ gpus, limits = {} }: ServerSpec): void {
  if (gpus === undefined || gpus === "all") return;
  if (typeof gpus === "number") {
    checkWhole(gpus, "gpus", 0, 1024);
  } else {
    if (!Array.isArray(gpus)) throw invalidRequest("gpus", 'must be a number, "all" or a list of their ids');
    for (const [index, id] of gpus.entries()) {
      if (typeof id !== "string" || id.length > 255 || !CARD.test(id)) {
        throw invalidRequest(
          `gpus[${index}]`,
          'must be the number or the id of a card, such as "0" or "GPU-3faa8c60"',
        );
      }
    }
  }
  const wanted = typeof gpus === "number" ? gpus : gpus.length;
  if (limits.gpus !== undefined && wanted > limits.gpus)
    throw invalidRequest("gpus", "is more than limits.gpus");
}

function checkLog(log: ServerSpec["log"]): void {
  if (log === undefined) return;
  if (log.kind === "files") {
    if (log.maxFileBytes !== undefined) checkWhole(log.maxFileBytes, "log.maxFileBytes", 1024, MOST_BYTES);
    if (log.maxFiles !== undefined) checkWhole(log.maxFiles, "log.maxFiles", 1, 1000);
    return;
  }
  if (log.kind !== "gelf") throw invalidRequest("log.kind", 'must be "files" or "gelf"');
  const url = URL.canParse(String(log.address)) ? new URL(String(log.address)) : undefined;
  const isAddress = url?.protocol === "udp:" || url?.protocol === "tcp:";
  // The parser of addresses drops line ends and the like without a word.
  if (
    !isAddress ||
    url.port === "" ||
    !/^[\x21-\x7e]+$/.test(log.address) ||
    url.username + url.password !== ""
  ) {
    throw invalidRequest("log.address", 'must be an address such as "udp://graylog:12201"');
  }
  // The engine reads it as a template.
  if (log.tag !== undefined && checkText(log.tag, "log.tag", 1024).includes("{{")) {
    throw invalidRequest("log.tag", "has {{, which the engine would replace; leave it out");
  }
}

function filled(value: unknown, field: string): void {
  if (checkText(value, field, 4096) === "") throw invalidRequest(field, "is empty");
}

function oneOf(value: unknown, field: string, allowed: readonly string[]): void {
  if (allowed.includes(value as string)) return;
  throw invalidRequest(field, `must be ${allowed.map((text) => `"${text}"`).join(" or ")}`);
}
