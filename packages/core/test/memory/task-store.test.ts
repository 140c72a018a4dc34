import { expect, it } from "vitest";
import type { ApplyRequest, Claim } from "../../src/contracts/task-store.ts";
import { memoryTaskStore } from "../../src/memory/task-store.ts";
import { ManualClock } from "../discovery/manual-clock.ts";
import { LEASE_MS, newTask, returned } from "../support/tasks.ts";

// Beyond what the kit of the contract asks of every task store.

it("a claim tells what is left of a delay to the millisecond", async () => {
  const clock = new ManualClock();
  const store = memoryTaskStore({ clock, random: () => 0.5 });
  const call = { runner: "r", incarnation: "one", leaseMs: LEASE_MS };
  const claims: Claim[] = [{ id: "a", servers: [{ server: "s", limit: 9 }] }];
  const apply = (sequence: number, settle: ApplyRequest["settle"]) => {
    const rest = { settle, renew: [], recover: 0, release: [], servers: [] };
    return store.apply({ ...call, ...rest, sequence, acknowledged: sequence - 1 });
  };
  await store.insert([newTask("a")]);
  await apply(1, []);
  const [granted] = await store.claim({ ...call, sequence: 1, claims });
  if (granted?.outcome !== "granted") throw new Error("it was not granted");
  await apply(2, [returned(granted.grant, { delayMs: 300 })]);
  await clock.advance(100);
  expect(await store.claim({ ...call, sequence: 2, claims })).toEqual([{ outcome: "not_yet", delayMs: 200 }]);
});
