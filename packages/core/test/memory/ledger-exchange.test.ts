import { describe, expect, it } from "vitest";
import type { Grant, Ledger } from "../../src/contracts/ledger.ts";
import type { TaskRecord } from "../../src/contracts/task.ts";
import { GatewayError } from "../../src/errors.ts";
import { memoryLedger } from "../../src/memory/ledger.ts";
import { ManualClock } from "../discovery/manual-clock.ts";
import { brief, LEASE_MS, newTask, returned, succeeded, TestRunner, want } from "../support/tasks.ts";

function open(): { clock: ManualClock; ledger: Ledger; runner: TestRunner; other: TestRunner } {
  const clock = new ManualClock();
  const ledger = memoryLedger({ clock, random: () => 0.5 });
  return { clock, ledger, runner: new TestRunner(ledger), other: new TestRunner(ledger, "other") };
}

async function get(ledger: Ledger, id: string): Promise<TaskRecord> {
  const [task] = await ledger.get([id]);
  if (task === undefined) throw new Error(`there is no task ${id}`);
  return task;
}

const sweep = { limit: 100, unserved: [] };

describe("an exchange", () => {
  it("gives the same grants again when it is repeated, and no others", async () => {
    const { ledger, runner } = open();
    await ledger.submit([newTask("a"), newTask("b"), newTask("c")]);
    const request = runner.next({ want: [want("s", { max: 2 })] });
    const first = await ledger.exchange(request);
    expect(brief(first.grants)).toEqual(["a@s#1", "b@s#1"]);
    expect((await ledger.exchange(request)).grants).toEqual(first.grants);
  });

  it("does not give a grant again that was settled meanwhile", async () => {
    const { ledger, runner } = open();
    await ledger.submit([newTask("a")]);
    const request = runner.next({ want: [want("s")] });
    const { grants } = await ledger.exchange(request);
    await ledger.exchange({ ...request, settle: grants.map((grant) => succeeded(grant)) });
    expect((await ledger.exchange(request)).grants).toEqual([]);
  });

  it("takes grants back whose reply never arrived", async () => {
    const { ledger, runner } = open();
    await ledger.submit([newTask("a"), newTask("hold", { background: true })]);
    await ledger.exchange(runner.next({ want: [want("s", { limit: 1 })] }));
    // The runner never saw that reply: it acknowledges nothing.
    const next = await runner.exchange();
    expect(next.grants).toEqual([]);
    expect(await get(ledger, "a")).toMatchObject({
      state: "pending",
      attempt: 1,
      lostAttempts: 0,
      failures: 0,
    });
    expect(brief(await runner.grants(want("s", { limit: 1 })))).toEqual(["a@s#2", "hold@s#2"]);
  });

  it("lets a newer incarnation take over at once, and the older one do nothing any more", async () => {
    const { ledger, runner } = open();
    await ledger.submit([newTask("a"), newTask("train", { background: true, repeatable: false })]);
    const grants = await runner.grants(want("s"));
    const train = grants.find(({ task }) => task.background) as Grant;
    await runner.exchange({
      settle: [{ id: "train", attempt: train.attempt, kind: "running", runId: "run" }],
    });
    const old = new TestRunner(ledger);
    old.sequence = runner.sequence;
    runner.restart("two");
    const taken = await runner.exchange({ want: [want("s")], recover: 5 });
    expect(brief(taken.grants)).toEqual(["recover train@s#2", "a@s#2"]);
    await expect(old.exchange()).rejects.toMatchObject({ code: "STALE_RUNNER" });
  });

  it("rejects a sequence that is over", async () => {
    const { runner } = open();
    const request = runner.next();
    await runner.exchange();
    const error: unknown = await runner.ledger.exchange(request).catch((thrown: unknown) => thrown);
    expect(GatewayError.is(error, "STALE_RUNNER")).toBe(true);
  });

  it("gives each item its own outcome", async () => {
    const { ledger, runner, other } = open();
    await ledger.submit([newTask("a"), newTask("b"), newTask("c")]);
    const [a, b, c] = (await runner.grants(want("s"))) as [Grant, Grant, Grant];
    await ledger.amend([{ kind: "cancel", id: "c" }]);
    const ghost = { ...a, task: { ...a.task, id: "ghost" } };
    const { settled, renewed } = await runner.exchange({
      settle: [succeeded(a), succeeded(a), { ...succeeded(b), attempt: 9 }, succeeded(ghost)],
      renew: [b, c, a].map(({ task, attempt }) => ({ id: task.id, attempt, sent: false })),
    });
    expect(settled.map(({ outcome }) => outcome)).toEqual(["accepted", "accepted", "stale", "unknown"]);
    expect(settled[2]).toEqual({ outcome: "stale", attempt: 1, state: "scheduled" });
    expect(renewed.map(({ outcome }) => outcome)).toEqual(["accepted", "cancel_requested", "stale"]);
    expect((await other.exchange({ settle: [succeeded(b)] })).settled[0]?.outcome).toBe("accepted");
  });

  it("counts what other runners hold against a server's limit", async () => {
    const { ledger, runner, other } = open();
    await ledger.submit(["a", "b", "c"].map((id) => newTask(id)));
    expect(await runner.grants(want("s", { limit: 2, max: 1 }))).toHaveLength(1);
    expect(await other.grants(want("s", { limit: 2 }))).toHaveLength(1);
    expect(await runner.grants(want("s", { limit: 2 }))).toHaveLength(0);
  });

  it("keeps a back-off, and says when it is over", async () => {
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
});

describe("a lease", () => {
  it("ends unless it is renewed; then the task goes back and the late holder is stale", async () => {
    const { clock, ledger, runner, other } = open();
    await ledger.submit([newTask("kept"), newTask("lost")]);
    const [kept, lost] = (await runner.grants(want("s"))) as [Grant, Grant];
    await clock.advance(LEASE_MS - 1);
    await runner.exchange({ renew: [{ id: "kept", attempt: kept.attempt, sent: true }] });
    await clock.advance(1);
    const swept = await ledger.sweep(sweep);
    expect([swept.returned.map(({ id }) => id), swept.ended, swept.more]).toEqual([["lost"], [], false]);
    expect(brief(await other.grants(want("s", { limit: 2 })))).toEqual(["lost@s#2"]);
    expect((await runner.exchange({ settle: [succeeded(lost)] })).settled[0]?.outcome).toBe("stale");
  });

  it("of a task that may not be sent again leaves it to be recovered, without a slot", async () => {
    const { clock, ledger, runner, other } = open();
    await ledger.submit([newTask("a", { repeatable: false }), newTask("b")]);
    const [first] = (await runner.grants(want("s", { limit: 1 }))) as [Grant];
    await runner.exchange({ settle: [{ id: "a", attempt: 1, kind: "sent", server: "s", instance: "i" }] });
    await clock.advance(LEASE_MS);
    expect((await ledger.sweep(sweep)).returned).toEqual([]);
    const reply = await other.exchange({ want: [want("s", { limit: 1 })], recover: 3 });
    expect(brief(reply.grants)).toEqual(["recover a@s#2", "b@s#1"]);
    expect(reply.grants[0]?.task).toMatchObject({ recovering: true, instance: "i", sentAtMs: 0 });
    expect((await runner.exchange({ settle: [succeeded(first)] })).settled[0]?.outcome).toBe("stale");
    expect((await other.exchange({ recover: 3 })).grants).toEqual([]);
  });
});

describe("background work", () => {
  async function training(): Promise<ReturnType<typeof open> & { first: Grant }> {
    const parts = open();
    await parts.ledger.submit(
      ["one", "two"].map((id) => newTask(id, { background: true, repeatable: false })),
    );
    const [first] = (await parts.runner.grants(want("s"))) as [Grant];
    return { ...parts, first };
  }

  it("takes the server's one hold, whoever asks, and keeps it while it runs", async () => {
    const { runner, other, first } = await training();
    await runner.exchange({ settle: [{ id: "one", attempt: 1, kind: "running", runId: "run" }] });
    expect(await other.grants(want("s"))).toEqual([]);
    expect(brief(await other.grants(want("s", { background: false }), want("t")))).toEqual(["two@t#1"]);
    await runner.exchange({ settle: [succeeded(first)] });
    expect(await other.grants(want("s"))).toEqual([]);
  });

  it("leaves an orphan hold when it ends without releasing, until somebody saw the server idle", async () => {
    const { runner, other, first } = await training();
    const { orphanHolds } = await runner.exchange({ settle: [succeeded(first, false)], want: [want("s")] });
    expect(orphanHolds).toEqual([{ server: "s", id: "one", attempt: 1, instance: undefined }]);
    expect(await other.grants(want("s"))).toEqual([]);
    const reply = await other.exchange({
      release: [{ server: "s", id: "one", attempt: 1 }],
      want: [want("s")],
    });
    expect(brief(reply.grants)).toEqual(["two@s#1"]);
    expect(reply.orphanHolds).toEqual([]);
  });

  it("keeps a hold that a later attempt took, whatever is released of an earlier one", async () => {
    const { runner, first } = await training();
    await runner.exchange({ settle: [returned(first)] });
    const again = await runner.grants(want("s"));
    expect(brief(again)).toEqual(["one@s#2"]);
    const release = [
      { server: "s", id: "one", attempt: 1 },
      { server: "s", id: "one", attempt: 2 },
    ];
    expect((await runner.exchange({ release, want: [want("s")] })).grants).toEqual([]);
  });
});
