/** Where a model is, as an address says it. */
export type ModelAddress =
  /** A folder among the artifacts of a run. */
  | { readonly kind: "run"; readonly runId: string; readonly path: string }
  | { readonly kind: "version"; readonly name: string; readonly version: string }
  | { readonly kind: "stage"; readonly name: string; readonly stage: string }
  | { readonly kind: "latest"; readonly name: string }
  | { readonly kind: "alias"; readonly name: string; readonly alias: string }
  /** A model of MLflow 3, which is logged for itself and not among a run's artifacts. */
  | { readonly kind: "logged"; readonly modelId: string }
  /** A folder below those that the server hands out. */
  | { readonly kind: "artifacts"; readonly path: string }
  /** A folder in a store that only the server reads: `root` is where the artifacts of the run begin. */
  | { readonly kind: "stored"; readonly root: string; readonly runId: string; readonly path: string };

const RUN_ID = /^[a-zA-Z0-9][\w-]{0,255}$/;
const MODEL_ID = /^m-[a-zA-Z0-9]{1,64}$/;
/** Their numbers are 32 bits wide in some stores. */
const VERSION = /^[1-9]\d{0,8}$/;
const STORED = /^([a-z][a-z0-9+.-]*:\/.*?\/([0-9a-f]{32})\/artifacts)\/(.+)$/i;
const STORED_LOGGED = /^[a-z][a-z0-9+.-]*:\/.*?\/models\/(m-[0-9a-f]{32})\/artifacts\/?$/i;
const LONGEST = 4096;

export function isRunId(text: string): boolean {
  return RUN_ID.test(text);
}

/** Reads an address. `undefined` when it is of no form that can be looked up at the server on `host`. */
export function parseModelAddress(uri: string, host: string): ModelAddress | undefined {
  if (uri.length > LONGEST || !isPlain(uri)) return undefined;
  const [, scheme = "", rest = ""] = /^([a-z][a-z0-9+.-]*):(.*)$/i.exec(uri) ?? [];
  switch (scheme.toLowerCase()) {
    case "":
      return undefined;
    case "runs":
      return runAddress(rest);
    case "models":
      return modelsAddress(rest);
    case "mlflow-artifacts":
      return artifactsAddress(rest, host);
    default:
      return storedAddress(uri);
  }
}

function runAddress(rest: string): ModelAddress | undefined {
  const [, runId = "", path = ""] = /^\/([^/]+)\/(.+)$/.exec(rest) ?? [];
  const folder = folderOf(path);
  return isRunId(runId) && folder !== undefined ? { kind: "run", runId, path: folder } : undefined;
}

function modelsAddress(rest: string): ModelAddress | undefined {
  const [, first = "", , second] = /^\/([^/]+)(\/([^/]+))?$/.exec(rest) ?? [];
  const name = first;
  if (second !== undefined) {
    if (second.toLowerCase() === "latest") return { kind: "latest", name };
    if (!/^\d+$/.test(second)) return { kind: "stage", name, stage: second };
    return VERSION.test(second) ? { kind: "version", name, version: second } : undefined;
  }
  if (MODEL_ID.test(first)) return { kind: "logged", modelId: first };
  const [, named = "", alias = ""] = /^(.+)@([^@]+)$/.exec(first) ?? [];
  return alias === "" ? undefined : { kind: "alias", name: named, alias };
}

/** One of another server is not ours to ask for, least of all with our credentials. */
function artifactsAddress(rest: string, host: string): ModelAddress | undefined {
  const [, authority, path = ""] = /^(?:\/\/([^/]*))?\/+(.+)$/.exec(rest) ?? [];
  if (authority !== undefined && authority !== "" && authority.toLowerCase() !== host) return undefined;
  const folder = folderOf(path);
  return folder === undefined ? undefined : { kind: "artifacts", path: folder };
}

function storedAddress(uri: string): ModelAddress | undefined {
  const [, modelId] = STORED_LOGGED.exec(uri) ?? [];
  if (modelId !== undefined) return { kind: "logged", modelId };
  const [, root = "", runId = "", path = ""] = STORED.exec(uri) ?? [];
  const folder = folderOf(path);
  return folder === undefined || root === "" ? undefined : { kind: "stored", root, runId, path: folder };
}

/** Whether a root that an address names can be the one that the server has for the run. */
export function isRootOf(root: string, artifactUri: string): boolean {
  const own = artifactUri.replace(/\/+$/, "");
  if (root === own) return true;
  // Where the server hands artifacts out, only it knows the store that they are in.
  const [, path] = /^mlflow-artifacts:(?:\/\/[^/]*)?\/+(.+)$/.exec(own) ?? [];
  return path !== undefined && root.endsWith(`/${path}`);
}

/** A path that leads downwards and is written in one way only. */
function folderOf(path: string): string | undefined {
  const parts = path.replace(/\/+$/, "").split("/");
  return parts.every((part) => part !== "" && part !== "." && part !== "..") ? parts.join("/") : undefined;
}

/** Texts that no name has, and that a server, or what stands before it, might read in a way of its own. */
function isPlain(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  return text.isWellFormed() && !/[\u0000-\u001f\u007f\\?#]/.test(text);
}
