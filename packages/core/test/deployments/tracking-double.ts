import type { TrackedModel, Tracking } from "../../src/contracts/tracking.ts";
import { GatewayError } from "../../src/errors.ts";

export interface TrackingDouble extends Tracking {
  isAway: boolean;
}

/** A tracker that knows what it is told, by run and by address. */
export function trackingDouble(
  runs: Readonly<Record<string, TrackedModel>>,
  validates = true,
): TrackingDouble {
  const answer = <T>(value: T): T => {
    if (double.isAway) throw new GatewayError("TRACKING_UNAVAILABLE", "the tracker does not answer");
    return value;
  };
  const double: TrackingDouble = {
    isAway: false,
    capabilities: { validates, runs: false, describes: false },
    resolve: async (trackingId) => answer(runs[trackingId]),
    find: async (uri) => answer(Object.values(runs).find((each) => each.uri === uri)),
    describe: () => Promise.reject(unsupported("describe")),
    run: () => Promise.reject(unsupported("run")),
    findRuns: () => Promise.reject(unsupported("findRuns")),
    close: async () => {},
  };
  return double;
}

function unsupported(method: string): GatewayError {
  return new GatewayError("UNSUPPORTED", `the tracker cannot do ${method}`);
}
