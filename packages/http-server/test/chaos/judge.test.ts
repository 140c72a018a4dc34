import type { TaskRecord } from "@modelgate/core";
import { describe, expect, it } from "vitest";
import type { HistoryEvent, HistoryFacts } from "../../../core/src/testing/checker/index.ts";
import { assembleHistory, type CallRecord, type Sightings } from "./assemble-history.ts";
import { judgeHistory, orphansAmong, stillLookedInto } from "./judge.ts";
import type { ServerNote } from "./model-server.ts";
import type { RowChange } from "./store-watch.ts";

const SERVER = "127.0.0.1:1";
const START_MS = 1_000_000;

/** A training that was granted, sent, worked on and answered for, as each side saw it. */
class Seen {
  changes: RowChange[];
  clients: HistoryEvent[];
  calls: CallRecord[] = [];
  notes: ServerNote[] = [];
  rows: TaskRecord[];
  readonly running: TaskRecord;
  readonly ended: TaskRecord;

  constructor() {
    const made = task({});
    const held = task({
      ...{ state: "scheduled", attempt: 1, holder: "s.1-i/i", leaseExpiresAtMs: START_MS + 60_000 },
      ...{ server: SERVER, instance: "m#1", startedAtMs: START_MS + 10 },
    });
    const announced = { ...held, sentAtMs: START_MS + 20 };
    const running: TaskRecord = { ...announced, state: "running", runId: "run" };
    const ended: TaskRecord = {
      ...{ ...running, state: "succeeded", holder: undefined, leaseExpiresAtMs: undefined },
      ...{ finishedAtMs: START_MS + 90, endedBy: "attempt", result: { sizeBytes: 3 } },
    };
    this.changes = [
      { atMs: START_MS + 5, task: made },
      { atMs: START_MS + 10, task: held },
      { atMs: START_MS + 20, task: announced },
      { atMs: START_MS + 50, task: running },
      { atMs: START_MS + 90, task: ended },
    ];
    this.ended = ended;
    this.running = running;
    this.rows = [ended];
    this.clients = [
      { atMs: START_MS, kind: "server", server: SERVER, instance: "m#1", isUp: true },
      { atMs: START_MS, kind: "process", by: "s.1", change: "started" },
      { atMs: START_MS + 1, kind: "offered", id: "n", answer: "right", isValid: true },
      { atMs: START_MS + 8, kind: "accepted", id: "t", by: "g.1" },
      this.read(100, "right"),
    ];
    this.call(1, 30, 202);
    this.execute("m#1/1", 35, 45);
  }

  read(atMs: number, digest: string): HistoryEvent {
    return {
      ...{ atMs: START_MS + atMs, kind: "read", id: "t", state: "succeeded", askedAtMs: START_MS + atMs },
      ...{ outcome: "ok", digest },
    } as HistoryEvent;
  }

  call(call: number, atMs: number, status: number | undefined): void {
    const ending =
      status === undefined
        ? ({ kind: "broken", by: "cut" } as const)
        : ({ kind: "answered", status } as const);
    this.calls.push({
      ...{ call, nonce: "n", by: "s.1", server: SERVER, instance: "m#1", sentAtMs: START_MS + atMs },
      ended: { atMs: START_MS + atMs + 8, ending },
    });
  }

  execute(execution: string, fromMs: number, toMs: number): void {
    this.notes.push(
      {
        ...{ atMs: START_MS + fromMs, kind: "begun", execution, nonce: "n", by: "s.1", digest: "d" },
        ...{ background: true, inFlight: 1 },
      },
      { atMs: START_MS + toMs, kind: "finished", execution, how: "done" },
    );
  }

  violations(): readonly string[] {
    const { changes, clients, calls, notes, rows } = this;
    const sightings: Sightings = {
      ...{ changes, clients, calls, breaks: new Map(), keys: [] },
      notes: new Map([[SERVER, notes]]),
    };
    return judgeHistory(assembleHistory(sightings), { ...FACTS, end: { rows, orphanHolds: [] } }, rows)
      .violations;
  }
}

const FACTS: HistoryFacts = {
  ...{ leaseMs: 3_000, boostMs: 1, limits: { [SERVER]: 2 }, models: { [SERVER]: ["nlp"] } },
  ...{ order: "queue", progressMs: Number.POSITIVE_INFINITY, unwritable: [] },
  ...{ maxFailures: 5, maxAttempts: 10 },
};

function task(changes: Partial<TaskRecord>): TaskRecord {
  return {
    ...{ id: "t", model: "nlp", operation: "train_supervised", owner: "", query: "chaos=n" },
    ...{ repeatable: false, background: true, maxFailures: 5, payload: { sizeBytes: 3 } },
    ...{ createdAtMs: START_MS, deadlineAtMs: START_MS + 86_400_000, state: "pending", priority: 5 },
    ...{ rank: START_MS - 5, attempt: 0, failures: 0, lostAttempts: 0, recovering: false },
    ...changes,
  };
}

describe("the judge of a chaos run", () => {
  it("is content with what was promised", () => {
    expect(new Seen().violations()).toEqual([]);
  });

  it.each<[string, (seen: Seen) => void, RegExp]>([
    [
      "a row that the store dropped",
      (seen) => void seen.rows.splice(0),
      /lost-task.*no longer in the ledger/,
    ],
    [
      "a task that never ended",
      (seen) => {
        seen.changes.pop();
        seen.rows = [seen.running];
      },
      /no-ending.*still running/,
    ],
    [
      "a second ending",
      (seen) => {
        seen.changes.push({ atMs: START_MS + 95, task: { ...seen.ended, state: "failed" } });
      },
      /ending-changed/,
    ],
    [
      "an ending that a reader saw change",
      (seen) => {
        for (const [at, state] of (["succeeded", "failed"] as const).entries())
          seen.clients.push({
            ...{ atMs: START_MS + 200 + at, kind: "seen", id: "t", state, askedAtMs: START_MS + 200 + at },
          });
      },
      /ending-changed.*saw succeeded and later failed/,
    ],
    ["a wrong result", (seen) => void seen.clients.push(seen.read(120, "wrong")), /wrong-result/],
    [
      "a training that was sent again after a send whose end nobody knows",
      (seen) => {
        seen.calls.splice(0);
        seen.call(1, 30, undefined);
        seen.call(2, 46, 202);
        seen.execute("m#1/2", 47, 49);
      },
      /ran-twice/,
    ],
    [
      "two trainings at once on one server",
      (seen) => {
        seen.execute("m#1/2", 36, 40);
      },
      /two-runs/,
    ],
    [
      "a send by somebody who holds nothing",
      (seen) => {
        for (const call of seen.calls.splice(0)) seen.calls.push({ ...call, by: "s.9" });
      },
      /sent-without-lease/,
    ],
    [
      "two tasks of one request",
      (seen) => void seen.rows.push({ ...seen.ended, id: "t2" }),
      /two tasks were made of one request: t and t2/,
    ],
  ])("finds %s", (_what, happens, violation) => {
    const seen = new Seen();
    happens(seen);
    expect(seen.violations().join("\n")).toMatch(violation);
  });

  it("finds more calls on a server than its limit", () => {
    const seen = new Seen();
    for (const call of [11, 12, 13]) seen.call(call, 31, 200);
    seen.changes = seen.changes.map(({ atMs, task: row }) => ({
      atMs,
      task: { ...row, background: false, repeatable: true },
    }));
    expect(seen.violations().join("\n")).toMatch(
      /calls-over-limit.*3 calls of live processes; the limit is 2/,
    );
  });

  it("takes a failure for a send that a reset swallowed, made while its sender held the task", () => {
    const held = task({
      ...{ repeatable: true, background: false, state: "scheduled", attempt: 1, holder: "s.1-i/i" },
      ...{ leaseExpiresAtMs: START_MS + 3_000, server: SERVER, instance: "m#1" },
    });
    const failed: TaskRecord = { ...held, state: "pending", holder: undefined, failures: 1 };
    const told = (breaks: readonly number[]): string => {
      const history = assembleHistory({
        changes: [
          { atMs: START_MS + 10, task: held },
          // Its sender was stopped meanwhile, for longer than its lease.
          { atMs: START_MS + 9_000, task: failed },
          { atMs: START_MS + 9_500, task: { ...failed, notBeforeAtMs: START_MS + 9_800 } },
        ],
        ...{ clients: new Seen().clients.slice(0, 2), calls: [], notes: new Map(), keys: [] },
        breaks: new Map([[SERVER, breaks]]),
      });
      return judgeHistory(history, FACTS, []).violations.join("\n");
    };
    expect(told([START_MS + 8_000])).toBe("");
    expect(told([START_MS + 20_000])).toMatch(/1 failures are counted; 0 sends were not refused/);
  });

  it("finds objects that no task names, and names of what is not there", () => {
    const row = task({ payload: { sizeBytes: 3, key: "payloads/t/1" } });
    expect(orphansAmong(["payloads/t/1"], [row])).toEqual([]);
    expect(orphansAmong(["payloads/x/1"], [row])).toEqual([
      "no task names the object payloads/x/1",
      "t names payloads/t/1, which is not there",
    ]);
  });

  it("lets an unclear send be looked into for its time limit, and no longer", () => {
    const row = task({ state: "scheduled", attempt: 1, server: SERVER, sentAtMs: START_MS });
    const waiting = task({ id: "w" });
    const told = (endMs: number): HistoryEvent[] => [
      { atMs: START_MS, kind: "row", cause: "claim", storeMs: START_MS, task: row },
      { atMs: START_MS + endMs, kind: "process", by: "s.1", change: "stopped" },
    ];
    expect([...stillLookedInto(told(100_000), [row, waiting], [SERVER])]).toEqual(["t", "w"]);
    expect([...stillLookedInto(told(100_000), [row, waiting], [SERVER, "other"])]).toEqual(["t"]);
    expect([...stillLookedInto(told(200_000), [row, waiting], [SERVER])]).toEqual([]);
  });
});
