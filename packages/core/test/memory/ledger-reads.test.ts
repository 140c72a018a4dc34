import { describe, expect, it } from "vitest";
import { memoryLedger } from "../../src/memory/ledger.ts";
import { ManualClock } from "../discovery/manual-clock.ts";
import { newTask } from "../support/tasks.ts";

// Beyond what the kit of the contract asks of every ledger.

describe("list", () => {
  it("meets a task once whose id was forgotten and came again", async () => {
    const clock = new ManualClock();
    const ledger = memoryLedger({ clock, random: () => 0.5 });
    const retention = { payloadMs: 0, resultMs: 0, rowMs: 0 };
    const forget = async (id: string): Promise<void> => {
      await ledger.amend([{ kind: "cancel", id }]);
      await ledger.sweep({ limit: 100, unserved: [], retention });
    };
    await ledger.submit([newTask("again"), newTask("other")]);
    await forget("again");
    await ledger.submit([newTask("again")]);
    expect((await ledger.list()).items.map(({ id }) => id)).toEqual(["other", "again"]);
    await forget("again");
    await clock.advance(5);
    await ledger.submit([newTask("again")]);
    expect((await ledger.list()).items.map(({ id }) => id)).toEqual(["again", "other"]);
  });
});
