import type { Kit } from "../kit/kit.ts";
import { lifecycleTests } from "../lifecycle-kit/lifecycle-kit.ts";
import { asking } from "./asking.ts";
import type { TrackingFixture } from "./fixture.ts";

/** What must hold of every `Tracking`. */
export const trackingKit: Kit<TrackingFixture> = {
  contract: "Tracking",
  tests: [
    ...asking,
    ...lifecycleTests((fixture: TrackingFixture) => ({
      ...fixture,
      subject: fixture.tracking,
      calls: {
        resolve: () => fixture.tracking.resolve(fixture.unknownRuns[0] ?? "none"),
        find: () => fixture.tracking.find(fixture.unknownUris[0] ?? "none"),
      },
    })),
  ],
};
