import { describe, expect, it } from "vitest";
import type { Grant, Ledger } from "../../src/contracts/ledger.ts";
import { memoryLedger } from "../../src/memory/ledger.ts";
import { ManualClock } from "../discovery/manual-clock.ts";
import { brief, newTask, returned, succeeded, TestRunner, want } from "../support/tasks.ts";

// Beyond what the kit of the contract asks of every ledger.

function open(): { clock: ManualClock; ledger: Ledger; runner: TestRunner; other: TestRunner } {
  const clock = new ManualClock();
  const ledger = memoryLedger({ clock, random: () => 0.5 });
  return { clock, ledger, runner: new TestRunner(ledger), other: new TestRunner(ledger, "other") };
}

describe("an exchange", () => {
  it("does not give a grant again that was settled meanwhile", async () => {
    const { ledger, runner } = open();
    await ledger.submit([newTask("a")]);
    const request = runner.next({ want: [want("s")] });
    const { grants } = await ledger.exchange(request);
    await ledger.exchange({ ...request, settle: grants.map((grant) => succeeded(grant)) });
    expect((await ledger.exchange(request)).grants).toEqual([]);
  });

  it("looks at the attempt that is named, not at who names it", async () => {
    const { ledger, runner, other } = open();
    await ledger.submit([newTask("a")]);
    const [grant] = (await runner.grants(want("s"))) as [Grant];
    expect((await other.exchange({ settle: [succeeded(grant)] })).settled).toEqual([{ outcome: "accepted" }]);
  });

  it("keeps a back-off to the millisecond, and says when it is over", async () => {
    const { clock, ledger, runner } = open();
    await ledger.submit([newTask("a"), newTask("b")]);
    const [a] = (await runner.grants(want("s", { max: 1 }))) as [Grant];
    const reply = await runner.exchange({ settle: [returned(a, { delayMs: 700 })], want: [want("s")] });
    expect([brief(reply.grants), reply.nextDueInMs]).toEqual([["b@s#1"], 700]);
    await clock.advance(699);
    expect(await runner.grants(want("s"))).toEqual([]);
    await clock.advance(1);
    expect(brief(await runner.grants(want("s")))).toEqual(["a@s#2"]);
  });

  it("keeps the hold of work that goes on, whatever is released", async () => {
    const { ledger, runner } = open();
    await ledger.submit(["one", "two"].map((id) => newTask(id, { background: true, repeatable: false })));
    await runner.grants(want("s"));
    const release = [{ server: "s", id: "one", attempt: 1 }];
    expect((await runner.exchange({ release, want: [want("s")] })).grants).toEqual([]);
  });
});
