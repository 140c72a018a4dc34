import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { LEASE_MS } from "./support/cluster.ts";
import { type FaultKind, liveThrough, type Outcome } from "./support/crash-life.ts";
import { CrashPool } from "./support/crash-pool.ts";
import { DEPLOYING, REMOVING } from "./support/crash-steps.ts";

const enginePath = requireService("DOCKER_SOCKET");
const postgresUrl = requireService("PG_URL");
/** Every fault at every step, in place of one of each kind of them at each. */
const isLong = process.env["MODELGATE_DOCKER_LONG"] === "1";

const FAULTS: readonly FaultKind[] = [
  { when: "after", fate: "kill" },
  { when: "before", fate: "pause" },
  { when: "before", fate: "kill" },
  { when: "after", fate: "pause" },
];
const lives = (["gateway", "reaper"] as const).flatMap((kind, turn) =>
  DEPLOYING.flatMap((_, index) =>
    (isLong ? [0, 1, 2, 3] : [turn]).map((first) => {
      const [up, down] = [FAULTS[first], FAULTS[(first + (turn === 0 ? 1 : 3)) % FAULTS.length]];
      const [climb, descent] = [DEPLOYING[index], REMOVING[index]];
      if (up === undefined || down === undefined || climb === undefined || descent === undefined)
        throw new Error("a life has a fault on the way up and one on the way down");
      return { kind, up: { ...up, step: climb }, down: { ...down, step: descent } };
    }),
  ),
);

describe.skipIf(enginePath === undefined || postgresUrl === undefined)(
  `within ${2 * LEASE_MS} ms all is in order and nothing is lost`,
  () => {
    let pool: CrashPool;
    const outcomes: (Outcome & { readonly kind: string })[] = [];

    beforeAll(async () => {
      const kinds = ["gateway", "gateway", "reaper", "reaper"] as const;
      pool = await CrashPool.open({ enginePath: enginePath ?? "", postgresUrl: postgresUrl ?? "", kinds });
    }, 90_000);
    afterAll(async () => {
      await pool?.close();
      const worst = Math.max(...outcomes.map(({ recoveredMs }) => recoveredMs));
      console.log(`${outcomes.length} faults; in order again after ${worst} ms at most`);
      if (isLong) console.table(outcomes);
    }, 60_000);

    it.concurrent.each(lives)(
      "after a $kind met a $up.fate $up.when it could $up.step.name, and another $down.fate $down.when it could $down.step.name",
      { timeout: 600_000 },
      async ({ kind, up, down }) => {
        await pool.use(kind, async (cluster) => {
          const met = await liveThrough(cluster, up, down);
          outcomes.push(...met.map((outcome) => ({ kind, ...outcome })));
          expect(met).toHaveLength(2);
        });
      },
    );
  },
);
