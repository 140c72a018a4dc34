import type { Kit } from "../kit/kit.ts";
import { lifecycleTests } from "../lifecycle-kit/lifecycle-kit.ts";
import { asking } from "./asking.ts";
import { describing } from "./describing.ts";
import type { TrackingFixture } from "./fixture.ts";
import { running } from "./running.ts";

/** What must hold of every `Tracking`. */
export const trackingKit: Kit<TrackingFixture> = {
  contract: "Tracking",
  tests: [
    ...asking,
    ...describing,
    ...running,
    ...lifecycleTests((fixture: TrackingFixture) => ({
      ...fixture,
      subject: fixture.tracking,
      calls: {
        resolve: () => fixture.tracking.resolve(fixture.unknownRuns[0] ?? "none"),
        find: () => fixture.tracking.find(fixture.unknownUris[0] ?? "none"),
        describe: () => fixture.tracking.describe(fixture.unknownUris[0] ?? "none"),
        run: () => fixture.tracking.run(fixture.unknownRuns[0] ?? "none"),
        findRuns: () => fixture.tracking.findRuns({ name: "none" }),
      },
    })),
  ],
};
