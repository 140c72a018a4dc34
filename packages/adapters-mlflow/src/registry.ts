import { anyText, type JsonRecord, numberOf, pairsOf, recordOf, recordsOf, textOf } from "./json-fields.ts";
import type { ModelAddress } from "./model-address.ts";
import { pagesOf } from "./pages.ts";
import { INVALID_PARAMETER, type RestClient } from "./rest-client.ts";

const API = "/api/2.0/mlflow";
const PAGE = 100;
/** An alias, a stage or a version that there is not is told so, too. */
const ABSENT = [INVALID_PARAMETER];

/** A version of a registered model. */
export interface ModelVersion {
  readonly name: string;
  readonly version: string;
  readonly runId: string | undefined;
  readonly type: string | undefined;
}

type Registered = Extract<ModelAddress, { readonly name: string }>;

/** Registered models and their versions. */
export class Registry {
  readonly #client: RestClient;

  constructor(client: RestClient) {
    this.#client = client;
  }

  /** The version that an address means now. */
  async find(address: Registered, signal: AbortSignal): Promise<ModelVersion | undefined> {
    const { name } = address;
    switch (address.kind) {
      case "version":
        return await this.#one("model-versions/get", { name, version: address.version }, signal);
      case "alias":
        return await this.#one("registered-models/alias", { name, alias: address.alias }, signal);
      case "stage":
        return await this.#latest({ name, stages: [address.stage] }, signal);
      case "latest":
        return await this.#latest({ name }, signal);
    }
  }

  /** Where the files of a version are. What the version itself names as its source may be another version. */
  async folderOf({ name, version }: ModelVersion, signal: AbortSignal): Promise<string | undefined> {
    const request = { path: `${API}/model-versions/get-download-uri`, query: { name, version } };
    return textOf((await this.#client.json({ ...request, signal, absent: ABSENT }))?.["artifact_uri"]);
  }

  /** The type of the models that a run made, as the first of its versions that says one has it. */
  async typeOfRun(runId: string, signal: AbortSignal): Promise<string | undefined> {
    const query = { filter: `run_id='${runId}'`, max_results: String(PAGE) };
    const request = { path: `${API}/model-versions/search`, query, signal };
    for await (const each of pagesOf(this.#client, "model_versions", request)) {
      const type = typeIn(each["tags"]);
      if (type !== undefined) return type;
    }
    return undefined;
  }

  async #one(
    path: string,
    query: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<ModelVersion | undefined> {
    const answer = await this.#client.json({ path: `${API}/${path}`, query, signal, absent: ABSENT });
    return answer && versionOf(recordOf(answer["model_version"]));
  }

  /** The newest of each stage, or of one. */
  async #latest(body: JsonRecord, signal: AbortSignal): Promise<ModelVersion | undefined> {
    const request = { path: `${API}/registered-models/get-latest-versions`, body, signal, absent: ABSENT };
    const versions = recordsOf((await this.#client.json(request))?.["model_versions"]);
    const [newest] = versions
      .flatMap((each) => versionOf(each) ?? [])
      .sort((one, other) => Number(other.version) - Number(one.version));
    return newest;
  }
}

/** The tag by which servers say what kind of model it is. */
export function typeIn(tags: unknown): string | undefined {
  return textOf(pairsOf(tags, anyText)["model_type"]);
}

function versionOf(value: JsonRecord): ModelVersion | undefined {
  const name = textOf(value["name"]);
  const version = numberOf(value["version"])?.toString();
  if (name === undefined || version === undefined) return undefined;
  return { name, version, runId: textOf(value["run_id"]), type: typeIn(value["tags"]) };
}
