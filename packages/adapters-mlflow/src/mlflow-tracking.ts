import type { ModelMetadata, TrackedModel, Tracking } from "@modelgate/core";
import { Models } from "./models.ts";
import { checkOptions, type MlflowTrackingOptions } from "./options.ts";
import { Questions } from "./questions.ts";
import { RestClient } from "./rest-client.ts";
import { Runs } from "./runs.ts";
import { unavailable } from "./unavailable.ts";

/** What is not complete yet, as while a training registers its model, is asked for again soon. */
const INCOMPLETE_MS = 5000;

/**
 * A tracker that is an MLflow server, 2.x or 3.x, over its REST API. Opens nothing before it is asked; only reads. With
 * a user who may not read every experiment, runs and models of the others are unknown to it.
 */
export function mlflowTracking(options: MlflowTrackingOptions): Tracking {
  const settings = checkOptions(options);
  const client = new RestClient(settings);
  const questions = new Questions(settings.timeoutMs, () => unavailable("timeout", settings));
  const runs = new Runs(settings, client, questions);
  const models = new Models(settings, client, questions, runs);
  const { cacheMs } = settings;
  const keepModel = (found: TrackedModel | undefined): number => {
    if (found === undefined) return 0;
    return found.type === undefined ? Math.min(INCOMPLETE_MS, cacheMs) : cacheMs;
  };
  const keepMetadata = (found: ModelMetadata | undefined): number =>
    found === undefined ? Math.min(INCOMPLETE_MS, cacheMs) : cacheMs;
  return {
    capabilities: { validates: true, runs: true, describes: true },
    resolve: (trackingId, call = {}) =>
      questions.ask({ key: `resolve ${trackingId}` }, call, (signal) => models.ofRun(trackingId, signal)),
    find: (uri, call = {}) =>
      questions.ask({ key: `find ${uri}`, keepMs: keepModel }, call, (signal) => models.at(uri, signal)),
    describe: (uri, call = {}) =>
      questions.ask({ key: `describe ${uri}`, keepMs: keepMetadata }, call, (signal) =>
        models.describe(uri, signal),
      ),
    // A run is asked for as it is now, so that nobody is told what somebody else heard a moment ago.
    run: (runId, call = {}) => questions.ask({}, call, (signal) => runs.get(runId, signal)),
    findRuns: (filter, call = {}) => questions.ask({}, call, (signal) => runs.find(filter, signal)),
    close: async () => questions.close(),
  };
}
