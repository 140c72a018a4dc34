import type {
  ModelMetadata,
  TrackedModel,
  TrackedRun,
  Tracking,
} from "../../../../src/contracts/tracking.ts";
import { GatewayError } from "../../../../src/errors.ts";
import { memoryTracking } from "../../../../src/memory/tracking.ts";
import type { MadeModel, RunSample, TrackingFixture } from "../../../../src/testing/tracking-kit/fixture.ts";
import type { PlantedFault } from "../lifecycle/failing-tests.ts";

/** A tracking over a connection that can be cut, and its tracker. */
export function trackingFixture(
  change: (good: Tracking, models: readonly MadeModel[]) => Partial<Tracking> = () => ({}),
): TrackingFixture {
  const memory = memoryTracking();
  const models: MadeModel[] = [];
  const runs: (TrackedRun & RunSample)[] = [];
  let isCut = false;
  const ask = async <T>(answer: Promise<T>): Promise<T> => {
    if (!isCut) return await answer;
    await answer;
    throw new GatewayError("TRACKING_UNAVAILABLE", "the tracker does not answer");
  };
  const good: Tracking = {
    capabilities: memory.capabilities,
    resolve: (...call) => ask(memory.resolve(...call)),
    find: (...call) => ask(memory.find(...call)),
    describe: (...call) => ask(memory.describe(...call)),
    run: (...call) => ask(memory.run(...call)),
    findRuns: (...call) => ask(memory.findRuns(...call)),
    close: () => memory.close(),
  };
  return {
    tracking: { ...good, ...change(good, models) },
    async add(type) {
      const runId = `run${models.length}`;
      const made = { uri: `s3://bucket/${runId}/model`, runId, ...(type !== undefined && { type }) };
      models.push(made);
      memory.set(made, metadataOf(made));
      return made;
    },
    metadataOf,
    async addRun(sample) {
      const { state = "active", metrics = {}, params = {}, tags = {} } = sample;
      const id = `logged${runs.length}`;
      const run = { ...sample, id, experimentId: "1", state, status: state, metrics, params, tags };
      runs.push(run);
      memory.setRun(run);
      return id;
    },
    async endRun(id, state) {
      const run = runs.find((each) => each.id === id);
      if (run !== undefined) memory.setRun({ ...run, state, status: state, endedAtMs: run.startedAtMs + 1 });
    },
    unknownRuns: ["run1000"],
    unknownUris: ["s3://bucket/nothing", "models:/none/1"],
    async interrupt(meanwhile) {
      isCut = true;
      await meanwhile();
      isCut = false;
    },
    close: () => memory.close(),
  };
}

function metadataOf({ runId, type }: MadeModel): ModelMetadata {
  const flavors = { python_function: { loader_module: type ?? null } };
  return {
    uuid: `uuid of ${runId}`,
    runId,
    artifactPath: "model",
    flavors,
    createdAt: "2024-01-02 03:04:05.6",
  };
}

export function planted(
  fault: string,
  breaks: string,
  change: (good: Tracking, models: readonly MadeModel[]) => Partial<Tracking>,
): PlantedFault<TrackingFixture> {
  return { fault, breaks, open: () => trackingFixture(change) };
}

export const ASKING_FAULTS: readonly PlantedFault<TrackingFixture>[] = [
  planted(
    "forgets the run",
    "resolve tells the model that a run made: where it is, its type and its run",
    (good, models) => ({
      resolve: async (...call) =>
        models.length > 1 ? await good.resolve(...call) : withoutRun(await good.resolve(...call)),
    }),
  ),
  planted("tells the first model of its type", "runs are told apart", (good, models) => ({
    async resolve(...call) {
      const found = await good.resolve(...call);
      const first = models.find(({ type }) => type === "one");
      return found?.type === "one" ? first : found;
    },
  })),
  planted("makes up a type", "a model whose type the tracker does not say is told without one", (good) => ({
    async resolve(...call) {
      const found = await good.resolve(...call);
      return found && { type: "some-type", ...found };
    },
  })),
  planted(
    "rejects for what is unknown",
    "resolve tells undefined of a run that is unknown or made no model",
    (good) => ({
      async resolve(id, ...call) {
        const found = await good.resolve(id, ...call);
        if (id === "run1000" && call.length === 0 && (await good.resolve("run0")) !== undefined) {
          throw new GatewayError("TRACKED_MODEL_UNKNOWN", "there is no such run");
        }
        return found;
      },
    }),
  ),
  planted("reads an id as a pattern", "what is no id of a run leads nowhere", (good, models) => ({
    resolve: async (id, ...call) => (id === "" ? models[0] : await good.resolve(id, ...call)),
  })),
  planted("finds the last model", "find tells what is known of the model at an address", (good, models) => ({
    async find(uri, ...call) {
      const found = await good.find(uri, ...call);
      return found?.type === "one" && models.length > 1 ? models.at(-1) : found;
    },
  })),
  planted("believes every address", "find tells undefined of an address at which nothing is", (good) => ({
    find: async (uri, ...call) => {
      const found = await good.find(uri, ...call);
      return found ?? (/^(s3|models):/.test(uri) ? { uri } : undefined);
    },
  })),
  planted("reads an address as a pattern", "what is no address leads nowhere", (good, models) => ({
    find: async (uri, ...call) => (uri === ".." ? models[0] : await good.find(uri, ...call)),
  })),
  planted("hands out what it keeps", "who changes what was told changes nothing of the tracker's", (good) => {
    const kept = new Map<string, TrackedModel | undefined>();
    return {
      async find(uri, ...call) {
        const found = await good.find(uri, ...call);
        if (!kept.has(uri)) kept.set(uri, found);
        return kept.get(uri);
      },
    };
  }),
  planted(
    "knows nothing when the tracker does not answer",
    "while the tracker does not answer, calls reject with TRACKING_UNAVAILABLE, and afterwards they work again",
    (good) => ({
      async resolve(...call) {
        return await good.resolve(...call).catch((error: unknown) => {
          if (GatewayError.is(error, "TRACKING_UNAVAILABLE")) return undefined;
          throw error;
        });
      },
    }),
  ),
  planted(
    "takes no signal",
    "a signal that was aborted before makes every method reject with its reason",
    (good) => ({ find: (uri) => good.find(uri) }),
  ),
  planted(
    "leaves a listener on a signal",
    "a call that is over has left no listener on the caller's signal",
    (good) => ({
      find(uri, options) {
        options?.signal?.addEventListener("abort", () => {});
        return good.find(uri, options);
      },
    }),
  ),
];

function withoutRun(model: TrackedModel | undefined): TrackedModel | undefined {
  return model && { ...model, runId: undefined };
}
