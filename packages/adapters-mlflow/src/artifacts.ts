import type { ModelMetadata } from "@modelgate/core";
import { numberOf, textOf } from "./json-fields.ts";
import { MAX_ML_MODEL_BYTES, ML_MODEL, readMlModel } from "./ml-model.ts";
import { pagesOf } from "./pages.ts";
import { INVALID_PARAMETER, NO_ROUTE, type RestClient, type RestRequest } from "./rest-client.ts";

const API = "/api/2.0/mlflow";
const PROXY = "/api/2.0/mlflow-artifacts/artifacts";
/** No path leads upwards, so such a refusal means that there is nothing of the kind. */
const ABSENT = [INVALID_PARAMETER];

/** A folder in which a model's files are, and the way to read it. */
export type ModelFolder =
  | { readonly kind: "run"; readonly runId: string; readonly path: string }
  | { readonly kind: "logged"; readonly modelId: string }
  | { readonly kind: "artifacts"; readonly path: string };

/** Files beside a run or a model. */
export class Artifacts {
  readonly #client: RestClient;

  constructor(client: RestClient) {
    this.#client = client;
  }

  /** The folders in the first level of a run's artifacts. */
  async foldersOf(runId: string, signal: AbortSignal): Promise<readonly string[]> {
    const query = { run_id: runId };
    const request = { path: `${API}/artifacts/list`, query, signal, absent: ABSENT };
    const folders: string[] = [];
    for await (const { path, is_dir } of pagesOf(this.#client, "files", request)) {
      const name = textOf(path);
      if (is_dir === true && name !== undefined) folders.push(name);
    }
    return folders;
  }

  /** What the folder's MLmodel says; `undefined` when there is none. */
  async describe(folder: ModelFolder, signal: AbortSignal): Promise<ModelMetadata | undefined> {
    // Looked for first: an older server answers 500 for a file that is not there, and takes seconds for it.
    if (!(await this.#has(folder, signal))) return undefined;
    const request = { ...fileRequest(folder), signal, maxBytes: MAX_ML_MODEL_BYTES };
    const text = await this.#client.text(request);
    return text === undefined ? undefined : readMlModel(text);
  }

  /** Whether there is a document, and of a size that it can have. */
  async #has(folder: ModelFolder, signal: AbortSignal): Promise<boolean> {
    const request = { ...listRequest(folder), signal };
    for await (const { path, file_size } of pagesOf(this.#client, "files", request)) {
      if (textOf(path)?.split("/").at(-1) !== ML_MODEL) continue;
      return (numberOf(file_size) ?? 0) <= MAX_ML_MODEL_BYTES;
    }
    return false;
  }
}

type Ask = Omit<RestRequest, "signal">;

function listRequest(folder: ModelFolder): Ask {
  switch (folder.kind) {
    case "run":
      return {
        path: `${API}/artifacts/list`,
        query: { run_id: folder.runId, path: folder.path },
        absent: ABSENT,
      };
    case "logged":
      return { path: `${loggedModel(folder.modelId)}/artifacts/directories`, absent: [...ABSENT, NO_ROUTE] };
    case "artifacts":
      return { path: PROXY, query: { path: folder.path }, absent: ABSENT };
  }
}

function fileRequest(folder: ModelFolder): Ask {
  switch (folder.kind) {
    case "run":
      return {
        path: "/get-artifact",
        query: { run_id: folder.runId, path: `${folder.path}/${ML_MODEL}` },
        absent: ABSENT,
      };
    case "logged":
      return {
        path: `/ajax-api/2.0/mlflow/logged-models/${encodeURIComponent(folder.modelId)}/artifacts/files`,
        query: { artifact_file_path: ML_MODEL },
        absent: ABSENT,
      };
    case "artifacts": {
      const path = folder.path.split("/").map(encodeURIComponent).join("/");
      return { path: `${PROXY}/${path}/${ML_MODEL}`, absent: ABSENT };
    }
  }
}

/** The path of what is known of a model of MLflow 3. */
export function loggedModel(modelId: string): string {
  return `${API}/logged-models/${encodeURIComponent(modelId)}`;
}
