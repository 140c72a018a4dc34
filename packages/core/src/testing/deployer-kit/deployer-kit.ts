import type { Kit } from "../kit/kit.ts";
import { lifecycleTests } from "../lifecycle-kit/lifecycle-kit.ts";
import { closing } from "./closing.ts";
import { type DeployerFixture, GRACE_MS, identityOf, linesOf, run } from "./fixture.ts";
import { listing } from "./listing.ts";
import { living } from "./living.ts";
import { logging } from "./logging.ts";
import { naming } from "./naming.ts";
import { outages } from "./outages.ts";
import { owning } from "./owning.ts";
import { preparing } from "./preparing.ts";
import { secrets } from "./secrets.ts";
import { signals } from "./signals.ts";
import { texts } from "./texts.ts";
import { watching } from "./watching.ts";

/** What must hold of every `Deployer`. */
export const deployerKit: Kit<DeployerFixture> = {
  contract: "Deployer",
  tests: [
    ...living,
    ...naming,
    ...owning,
    ...listing,
    ...preparing,
    ...texts,
    ...logging,
    ...secrets,
    ...watching,
    ...outages,
    ...signals,
    ...closing,
    ...lifecycleTests((fixture: DeployerFixture) => {
      const { deployer, installation, spec } = fixture;
      return {
        ...fixture,
        subject: deployer,
        calls: {
          prepare: () => deployer.prepare(spec(), identityOf(fixture, "m")),
          create: () => deployer.create(spec(), identityOf(fixture, "m")),
          remove: () => deployer.remove("no-such-server", { installation, graceMs: GRACE_MS }),
          list: () => deployer.list(installation),
        },
        ...(deployer.capabilities.logs && {
          pending: {
            logs: async () => {
              const { id } = await run(fixture, "followed");
              await linesOf(fixture, id, { follow: true });
            },
          },
        }),
      };
    }),
  ],
};
