import { describe, expect, it } from "vitest";
import { type HistoryFacts, RULES, type RuleName } from "../../src/testing/checker/index.ts";
import { Story, settlementOf, want } from "./story.ts";

/** One history that breaks the rule, and one that is as like it as can be and does not. */
interface Example {
  readonly bad: () => Story;
  readonly good: () => Story;
}

const ended = (): Story => new Story().accept().grant().send().begin(1).answer("done").settle("succeeded");
const once = (changes = {}): Story =>
  new Story().accept({ repeatable: false, operation: "train", ...changes });
const calm = (): Story => new Story().tell({ kind: "phase", phase: "calm", dead: [] });
const atTheEnd = (rows: HistoryFacts["end"]): Partial<HistoryFacts> => ({ end: rows });

const EXAMPLES: Record<RuleName, Example> = {
  "lost-task": {
    bad: () => new Story().tell({ kind: "accepted", id: "t", by: "p" }),
    good: () => new Story().accept(),
  },
  "no-ending": {
    bad: () => new Story().accept(),
    good: ended,
  },
  "ending-changed": {
    bad: () => ended().row("sweep", { state: "failed", error: { code: "WAIT_DEADLINE", message: "" } }),
    good: () => ended().tell({ kind: "seen", id: "t", state: "succeeded", askedAtMs: 0 }),
  },
  "wrong-result": {
    bad: () =>
      ended().tell({
        kind: "read",
        id: "t",
        state: "succeeded",
        askedAtMs: 0,
        outcome: "ok",
        digest: "wrong",
      }),
    good: () =>
      ended().tell({
        kind: "read",
        id: "t",
        state: "succeeded",
        askedAtMs: 0,
        outcome: "ok",
        digest: "right",
      }),
  },
  "bad-mint": {
    bad: () => new Story().accept().grant({ attempt: 2 }),
    good: () => new Story().accept().grant({ attempt: 1 }),
  },
  "outcome-by-stale-attempt": {
    bad: () => {
      const story = new Story().accept().grant().settle("returned", { endedBy: undefined }).grant({}, "q");
      story.row("exchange", {
        state: "succeeded",
        holder: undefined,
        leaseExpiresAtMs: undefined,
        endedBy: "attempt",
      });
      return story.exchange({ settle: [settlementOf("t", 1, "succeeded")] });
    },
    good: () => {
      const story = new Story().accept().grant().settle("returned", { endedBy: undefined }).grant({}, "q");
      return story.exchange({ settle: [settlementOf("t", 1, "succeeded")], settled: ["stale"] });
    },
  },
  "settle-not-idempotent": {
    bad: () => ended().exchange({ settle: [settlementOf("t", 1, "succeeded")], settled: ["stale"] }),
    good: () => ended().exchange({ settle: [settlementOf("t", 1, "succeeded")] }),
  },
  "lease-kept-for-others": {
    bad: () => {
      const story = new Story().accept().grant().pass(300);
      return story.row("exchange", { leaseExpiresAtMs: story.storeMs + 1_000 }).exchange({});
    },
    good: () => {
      const story = new Story().accept().grant().pass(300);
      story.row("exchange", { leaseExpiresAtMs: story.storeMs + 1_000 });
      return story.exchange({ renew: [{ id: "t", attempt: 1, sent: false }] });
    },
  },
  "sent-without-lease": {
    bad: () => new Story().accept().grant().pass(1_500).send(),
    good: () => new Story().accept().grant().pass(500).send(),
  },
  "exchange-not-repeatable": {
    bad: () => new Story().accept().grant().exchange({ sequence: 1 }),
    good: () =>
      new Story()
        .accept()
        .grant()
        .exchange({ sequence: 1, grants: [{ kind: "run", id: "t", attempt: 1, server: "s" }] }),
  },
  "result-after-state": {
    bad: () =>
      new Story()
        .accept()
        .grant()
        .settle("succeeded", { result: { sizeBytes: 9, key: "results/t/1" } }),
    good: () =>
      new Story()
        .accept()
        .grant()
        .tell({ kind: "object", change: "put", key: "results/t/1" })
        .settle("succeeded", { result: { sizeBytes: 9, key: "results/t/1" } }),
  },
  "ran-twice": {
    bad: () => once().begin(1).begin(2),
    good: () => {
      const story = once().begin(1).tell({ kind: "server", server: "s", instance: "s#1", isUp: false });
      return story
        .tell({ kind: "server", server: "s", instance: "s#2", isUp: true })
        .begin(2, { instance: "s#2" });
    },
  },
  "sent-before-commit": {
    bad: () => once().grant().send(),
    good: () => once().grant({ sentAtMs: 1 }).send(),
  },
  "unfounded-unknown": {
    bad: () =>
      once()
        .grant({ sentAtMs: 1 })
        .send()
        .answer("refused:busy")
        .settle("failed", { error: { code: "OUTCOME_UNKNOWN", message: "" } }),
    good: () =>
      once()
        .grant({ sentAtMs: 1 })
        .send()
        .answer("broken:reset")
        .settle("failed", { error: { code: "OUTCOME_UNKNOWN", message: "" } }),
  },
  "two-runs": {
    bad: () =>
      once().accept({ id: "u" }).begin(1, { background: true }).begin(2, { id: "u", background: true }),
    good: () =>
      once()
        .accept({ id: "u" })
        .begin(1, { background: true })
        .tell({ kind: "finished", execution: 1, how: "done" })
        .begin(2, { id: "u", background: true }),
  },
  "hold-broken": {
    bad: () => once({ background: true }).accept({ id: "u", background: true }).grant().grant({ id: "u" }),
    good: () =>
      once({ background: true })
        .accept({ id: "u", background: true })
        .grant()
        .settle("succeeded")
        .grant({ id: "u" }),
  },
  "over-limit": {
    bad: () => new Story().accept().accept({ id: "u" }).grant().grant({ id: "u" }),
    good: () => new Story().accept().accept({ id: "u" }).grant().settle("succeeded").grant({ id: "u" }),
  },
  "calls-over-limit": {
    bad: () =>
      new Story().accept().accept({ id: "u" }).grant().grant({ id: "u" }).send(1).send(2, { id: "u" }),
    // A cancelled call has been broken off, whenever its server hears of that.
    good: () =>
      new Story()
        .accept()
        .accept({ id: "u" })
        .accept({ id: "v" })
        .grant()
        .send(1)
        .answer("done", 1)
        .send(2, { id: "u" })
        .row("exchange", { id: "u", state: "cancelled" })
        .send(3, { id: "v" }),
  },
  "passed-over": {
    bad: () => {
      const story = new Story().accept().accept({ id: "u" });
      story.row("exchange", {
        id: "u",
        state: "scheduled",
        attempt: 1,
        server: "s",
        holder: "p/1",
        leaseExpiresAtMs: story.storeMs + 1_000,
      });
      return story.exchange({ want: [want()], grants: [{ kind: "run", id: "u", attempt: 1, server: "s" }] });
    },
    good: () => {
      const story = new Story().accept().accept({ id: "u" });
      story.row("exchange", {
        state: "scheduled",
        attempt: 1,
        server: "s",
        holder: "p/1",
        leaseExpiresAtMs: story.storeMs + 1_000,
      });
      return story.exchange({ want: [want()], grants: [{ kind: "run", id: "t", attempt: 1, server: "s" }] });
    },
  },
  "wrong-rank": {
    bad: () => new Story().accept({ priority: 3 }),
    good: () => new Story().accept({ priority: 0 }),
  },
  "slot-left-idle": {
    bad: () => new Story().accept().exchange({ want: [want()] }),
    good: () => new Story().accept().exchange({ want: [want({ models: ["other"] })] }),
  },
  "lane-blocked": {
    bad: () => calm().accept().exchange({}).pass(6_000).exchange({}),
    good: () => calm().accept().exchange({}).pass(3_000).exchange({}),
  },
  spins: {
    bad: () => {
      const story = calm();
      for (let at = 0; at < 80; at++) story.exchange({});
      return story;
    },
    good: () => {
      const story = calm();
      for (let at = 0; at < 80; at++) story.pass(500).exchange({});
      return story;
    },
  },
  "failed-for-waiting": {
    bad: () =>
      new Story()
        .accept()
        .grant()
        .send()
        .answer("refused:busy")
        .settle("returned", { failures: 1, endedBy: undefined }),
    good: () =>
      new Story()
        .accept()
        .grant()
        .send()
        .answer("broken:reset")
        .settle("returned", { failures: 1, endedBy: undefined }),
  },
  "live-lease-lost": {
    bad: () => new Story().accept().pass(9_000).grant().row("sweep", { state: "pending", holder: undefined }),
    good: () => {
      const story = new Story().accept().pass(9_000).grant();
      return story
        .tell({ kind: "process", by: "p", change: "crashed" })
        .row("sweep", { state: "pending", holder: undefined });
    },
  },
  "too-many-attempts": {
    bad: () => {
      const story = new Story().accept();
      for (let at = 0; at < 6; at++) story.grant().settle("returned", { endedBy: undefined });
      return story;
    },
    good: () => {
      const story = new Story().accept();
      for (let at = 0; at < 5; at++) story.grant().settle("returned", { endedBy: undefined });
      return story;
    },
  },
  "ran-after-cancel": {
    bad: () => new Story().accept().row("amend", { state: "cancelled", endedBy: "ledger" }).send(),
    good: () => new Story().accept().grant().send().row("amend", { cancelRequestedAtMs: 1 }),
  },
  "batch-harmed": {
    bad: () =>
      new Story()
        .tell({ kind: "offered", id: "t", answer: "right", isValid: true })
        .tell({ kind: "refused", id: "t", code: "INVALID_REQUEST" }),
    good: () =>
      new Story()
        .tell({ kind: "offered", id: "t", answer: "right", isValid: false })
        .tell({ kind: "refused", id: "t", code: "INVALID_REQUEST" }),
  },
  leaked: {
    bad: () => ended().tell({ kind: "hung", call: "wait", by: "p" }),
    good: ended,
  },
};

describe("checkHistory", () => {
  for (const rule of Object.keys(RULES) as RuleName[]) {
    const { bad, good } = EXAMPLES[rule];
    it(`finds ${rule}`, () => {
      expect(brokenBy(bad(), rule)).toContain(rule);
    });
    it(`finds no ${rule} where there is none`, () => {
      expect(brokenBy(good(), rule)).not.toContain(rule);
    });
  }

  it("finds nothing in a task's ordinary life", () => {
    expect(ended().broken()).toEqual([]);
  });

  it("finds holds and leases that are left at the end", () => {
    const story = ended();
    expect(story.broken(atTheEnd({ rows: story.rows, orphanHolds: [] }))).toEqual([]);
    expect(story.broken(atTheEnd({ rows: story.rows, orphanHolds: [{ server: "s", id: "t" }] }))).toEqual([
      "leaked",
    ]);
    const held = new Story().accept().grant();
    expect(held.broken(atTheEnd({ rows: held.rows, orphanHolds: [] }))).toEqual(["no-ending", "leaked"]);
  });

  it("finds an accepted task that is gone at the end", () => {
    expect(ended().broken(atTheEnd({ rows: [], orphanHolds: [] }))).toEqual(["lost-task"]);
  });

  it("gives the same for the same history", () => {
    const story = EXAMPLES["over-limit"].bad();
    expect(story.broken()).toEqual(story.broken());
  });
});

/** Only one rule needs to know what was left at the end. */
function brokenBy(story: Story, rule: RuleName): RuleName[] {
  if (rule !== "no-ending") return story.broken();
  return story.broken(atTheEnd({ rows: story.rows, orphanHolds: [] }));
}
