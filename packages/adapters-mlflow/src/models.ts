import type { ModelMetadata, TrackedModel } from "@modelgate/core";
import { Artifacts, loggedModel, type ModelFolder } from "./artifacts.ts";
import { anyText, type JsonRecord, pairsOf, recordOf, textOf } from "./json-fields.ts";
import { isRootOf, isRunId, type ModelAddress, parseModelAddress } from "./model-address.ts";
import type { MlflowSettings } from "./options.ts";
import type { Questions } from "./questions.ts";
import { Registry, typeIn } from "./registry.ts";
import { NO_ROUTE, type RestClient } from "./rest-client.ts";
import type { Runs } from "./runs.ts";
import { loggedModelsOf } from "./tracked-run.ts";

/** Tags that model servers leave at the runs of their trainings. */
const MODEL_URI = "training.output.model_uri";
const MODEL_TYPE = "training.output.model_type";
/** A version may name a run's folder or another version, and that again; nobody nests deeper. */
const MOST_STEPS = 3;

/** What an address was found to mean. */
interface Place {
  readonly folder: ModelFolder | undefined;
  /** What is written down in the folder, where that had to be read. */
  readonly document?: ModelMetadata | undefined;
  readonly runId: string | undefined;
  readonly type: string | undefined;
}

/** Models: where they are, of what type, and what was written down beside them. */
export class Models {
  readonly #settings: MlflowSettings;
  readonly #client: RestClient;
  readonly #questions: Questions;
  readonly #runs: Runs;
  readonly #artifacts: Artifacts;
  readonly #registry: Registry;

  constructor(settings: MlflowSettings, client: RestClient, questions: Questions, runs: Runs) {
    this.#settings = settings;
    this.#client = client;
    this.#questions = questions;
    this.#runs = runs;
    this.#artifacts = new Artifacts(client);
    this.#registry = new Registry(client);
  }

  /** The model that a run made. */
  async ofRun(runId: string, signal: AbortSignal): Promise<TrackedModel | undefined> {
    const raw = await this.#runs.raw(runId, signal);
    if (raw === undefined) return undefined;
    const uri = tagsOf(raw)[MODEL_URI] || (await this.#looseModel(runId, raw, signal));
    return uri === undefined ? undefined : { uri, type: await this.#typeOfRun(runId, raw, signal), runId };
  }

  async at(uri: string, signal: AbortSignal): Promise<TrackedModel | undefined> {
    const place = await this.#locate(uri, signal);
    if (place === undefined) return undefined;
    let { runId, type } = place;
    if (type !== undefined) return { uri, type, runId };
    // A version that nobody gave a run still has a document that may name one.
    runId ??= (await this.#documentAt(place, signal))?.runId;
    if (runId !== undefined) type = await this.#typeOfRun(runId, undefined, signal);
    return { uri, type, runId };
  }

  async describe(uri: string, signal: AbortSignal): Promise<ModelMetadata | undefined> {
    const place = await this.#locate(uri, signal);
    return place && (await this.#documentAt(place, signal));
  }

  /** `undefined` when nothing is there, or when it is an address that cannot be looked up. */
  async #locate(uri: string, signal: AbortSignal, steps: number = MOST_STEPS): Promise<Place | undefined> {
    const address = parseModelAddress(uri, this.#settings.host);
    if (address === undefined) return undefined;
    switch (address.kind) {
      case "run":
        return await this.#inRun(address.runId, address.path, signal);
      case "stored":
        return await this.#inStore(address, signal);
      case "logged":
        return await this.#logged(address.modelId, signal);
      case "artifacts": {
        const document = await this.#document(address, signal);
        return document && { folder: address, document, runId: document.runId, type: undefined };
      }
      default: {
        const version = await this.#registry.find(address, signal);
        if (version === undefined) return undefined;
        const source = await this.#registry.folderOf(version, signal);
        const inner =
          source === undefined || steps === 0 ? undefined : await this.#locate(source, signal, steps - 1);
        return {
          folder: inner?.folder,
          document: inner?.document,
          runId: version.runId ?? inner?.runId,
          type: version.type ?? inner?.type,
        };
      }
    }
  }

  async #inRun(runId: string, path: string, signal: AbortSignal): Promise<Place | undefined> {
    const raw = await this.#runs.raw(runId, signal);
    if (raw === undefined) return undefined;
    const folder: ModelFolder = { kind: "run", runId, path };
    const type = tagsOf(raw)[MODEL_TYPE] || undefined;
    const document = await this.#document(folder, signal);
    if (document !== undefined) return { folder, document, runId, type };
    // MLflow 3 keeps it elsewhere, and finds it under the name that it was logged by.
    for (const { info } of await this.#loggedBy(raw, signal)) {
      const modelId = textOf(info["model_id"]);
      if (modelId === undefined || info["name"] !== path) continue;
      return { folder: { kind: "logged", modelId }, runId, type: type ?? typeIn(info["tags"]) };
    }
    return undefined;
  }

  async #inStore(
    { root, runId, path }: Extract<ModelAddress, { readonly kind: "stored" }>,
    signal: AbortSignal,
  ): Promise<Place | undefined> {
    const raw = await this.#runs.raw(runId, signal);
    const own = textOf(recordOf(raw?.["info"])["artifact_uri"]);
    if (raw === undefined || own === undefined || !isRootOf(root, own)) return undefined;
    const folder: ModelFolder = { kind: "run", runId, path };
    const document = await this.#document(folder, signal);
    return document && { folder, document, runId, type: tagsOf(raw)[MODEL_TYPE] || undefined };
  }

  async #logged(modelId: string, signal: AbortSignal): Promise<Place | undefined> {
    const info = await this.#loggedModel(modelId, signal);
    if (info === undefined) return undefined;
    return {
      folder: { kind: "logged", modelId },
      runId: textOf(info["source_run_id"]),
      type: typeIn(info["tags"]),
    };
  }

  /** The newest first. */
  async #loggedBy(raw: JsonRecord, signal: AbortSignal): Promise<readonly { readonly info: JsonRecord }[]> {
    const ids = [...loggedModelsOf(raw)].reverse();
    const infos = await Promise.all(ids.map((id) => this.#loggedModel(id, signal)));
    return infos.flatMap((info) => (info === undefined ? [] : { info }));
  }

  async #loggedModel(modelId: string, signal: AbortSignal): Promise<JsonRecord | undefined> {
    const request = { path: loggedModel(modelId), signal, absent: [NO_ROUTE] };
    const answer = await this.#client.json(request);
    if (answer !== undefined) return recordOf(recordOf(answer["model"])["info"]);
    // MLflow 2 has no such route, and nor has what is no MLflow at all.
    await this.#runs.experiments(signal);
    return undefined;
  }

  /** The one folder of a run, or the one model, that can be meant when the run itself does not say. */
  async #looseModel(runId: string, raw: JsonRecord, signal: AbortSignal): Promise<string | undefined> {
    const folders = await this.#artifacts.foldersOf(runId, signal);
    const folder = single(folders, (name) => name, "model");
    if (folder !== undefined) return `runs:/${runId}/${folder}`;
    const models = await this.#loggedBy(raw, signal);
    const model = single(models, ({ info }) => textOf(info["name"]) ?? "", "model") ?? onlyOne(models);
    const modelId = textOf(model?.info["model_id"]);
    return modelId && `models:/${modelId}`;
  }

  async #typeOfRun(
    runId: string,
    known: JsonRecord | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    if (!isRunId(runId)) return undefined;
    const raw = known ?? (await this.#runs.raw(runId, signal));
    return (raw && tagsOf(raw)[MODEL_TYPE]) || (await this.#registry.typeOfRun(runId, signal));
  }

  async #documentAt({ folder, document }: Place, signal: AbortSignal): Promise<ModelMetadata | undefined> {
    return document ?? (folder && (await this.#document(folder, signal)));
  }

  #document(folder: ModelFolder, signal: AbortSignal): Promise<ModelMetadata | undefined> {
    const { cacheMs } = this.#settings;
    const key = `document ${JSON.stringify(folder)}`;
    const keepMs = (found: ModelMetadata | undefined): number => (found === undefined ? 0 : cacheMs);
    return this.#questions.ask({ key, keepMs }, { signal }, (shared) =>
      this.#artifacts.describe(folder, shared),
    );
  }
}

function tagsOf(raw: JsonRecord): Readonly<Record<string, string>> {
  return pairsOf(recordOf(raw["data"])["tags"], anyText);
}

/** Exactly the one of this name; otherwise the only one whose name contains it. */
function single<T>(all: readonly T[], nameOf: (each: T) => string, name: string): T | undefined {
  return (
    all.find((each) => nameOf(each) === name) ?? onlyOne(all.filter((each) => nameOf(each).includes(name)))
  );
}

function onlyOne<T>(all: readonly T[]): T | undefined {
  return all.length === 1 ? all[0] : undefined;
}
