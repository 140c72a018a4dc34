import { describe, expect, it } from "vitest";
import { expectConsistent } from "./support/judge.ts";
import type { Node } from "./support/world.ts";
import { deploymentsOf, World } from "./support/world.ts";

const MODEL = "m";
const LEASE_MS = 3_000;

interface Plan {
  readonly at: "before" | "after";
  /** The call of the victim at which it happens, counted from when the story begins. */
  readonly nth: number;
  readonly fate: "kill" | "pause";
}

/**
 * One gateway deploys for a task and removes the idle server again; another one looks on. At one call of the first, it
 * dies or stands still. Resolves to whether it came to that call.
 */
async function story({ at, nth, fate }: Plan): Promise<boolean> {
  let victim: Node | undefined;
  let calls = -1;
  let happened = false;
  const world = new World({
    seed: nth,
    leaseMs: LEASE_MS,
    on: (when, { name, process }) => {
      const isStep = name.startsWith("deployer.") || name.startsWith("records.");
      if (calls < 0 || happened || when !== at || !isStep || process !== victim?.process) return;
      calls += 1;
      if (calls < nth) return;
      happened = true;
      if (fate === "kill") process.kill();
      else {
        process.pause();
        // Long enough for the others to have deployed, and removed what was idle, before it goes on.
        world.time.after(nth % 2 === 0 ? LEASE_MS * 3 : 40_000, () => process.resume());
      }
    },
  });
  victim = await world.start("victim");
  await world.settle(
    deploymentsOf(victim.gateway).configurations.create({
      model: MODEL,
      modelUri: "s3://m",
      idleTtlMs: 8_000,
    }),
  );
  const other = await world.start("other");
  const { id } = await world.settle(victim.gateway.submit({ model: MODEL, operation: "work" }));
  calls = 0;
  expect((await world.settle(other.gateway.wait(id, { timeoutMs: 120_000 }))).state).toBe("succeeded");
  // A second one, so that there is work while somebody may be draining.
  await world.time.run(world.time.nowMs + 7_000);
  const second = await world.settle(other.gateway.submit({ model: MODEL, operation: "work" }));
  expect((await world.settle(other.gateway.wait(second.id, { timeoutMs: 120_000 }))).state).toBe("succeeded");
  await world.until("all is gone", async () => (await world.entries()).length === 0, 120_000);
  await world.time.run(world.time.nowMs + 4 * LEASE_MS);
  await expectConsistent(world);
  expect(world.engine.servers).toEqual([]);
  return happened;
}

describe.each(["kill", "pause"] as const)(
  "a gateway that meets its %s while it deploys or removes",
  (fate) => {
    it.each(["before", "after"] as const)(
      "%s any of its calls leaves nothing behind",
      { timeout: 120_000 },
      async (at) => {
        let reached = 0;
        for (let nth = 1; nth <= 150; nth += 1) {
          try {
            if (await story({ at, nth, fate })) reached += 1;
          } catch (error) {
            throw new Error(`${fate} ${at} call ${nth}: ${String(error)}`, { cause: error });
          }
        }
        expect(reached).toBeGreaterThan(100);
      },
    );
  },
);
