import type { Kit } from "../kit/kit.ts";
import { lifecycleTests } from "../lifecycle-kit/lifecycle-kit.ts";
import type { DiscoveryFixture } from "./fixture.ts";
import { servers } from "./servers.ts";
import { watching } from "./watching.ts";

/** What must hold of every `Discovery`. */
export const discoveryKit: Kit<DiscoveryFixture> = {
  contract: "Discovery",
  tests: [
    ...watching,
    ...servers,
    ...lifecycleTests((fixture: DiscoveryFixture) => ({
      ...fixture,
      subject: fixture.discovery,
      calls: {
        watch: () => fixture.discovery.watch(() => {}),
        refresh: () => fixture.discovery.refresh(),
      },
    })),
  ],
};
