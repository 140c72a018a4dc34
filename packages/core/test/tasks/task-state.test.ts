import { describe, expect, it } from "vitest";
import type { Settlement } from "../../src/contracts/ledger.ts";
import type { TaskRecord, TaskState } from "../../src/contracts/task.ts";
import { TASK_STATES } from "../../src/contracts/task.ts";
import * as state from "../../src/tasks/task-state.ts";
import { RESULT } from "../support/tasks.ts";

const NOW = 1_000_000;
const HOLDER = "runner/one";
const ERROR = { code: "SERVER_BUSY", message: "busy" };

/** A task of attempt 3 as it is met in a state. */
function task(parts: Partial<TaskRecord> = {}): TaskRecord {
  return {
    ...{
      id: "t",
      model: "m",
      operation: "process",
      owner: "",
      query: "",
      repeatable: true,
      background: false,
    },
    ...{ maxFailures: 3, payload: { sizeBytes: 0 }, createdAtMs: 1, deadlineAtMs: 9e9, state: "pending" },
    ...{ priority: 5, rank: 1, attempt: 3, failures: 0, lostAttempts: 0, recovering: false },
    ...parts,
  };
}

function held(parts: Partial<TaskRecord> = {}): TaskRecord {
  return task({ state: "scheduled", holder: HOLDER, leaseExpiresAtMs: NOW, server: "s", ...parts });
}

const BY_STATE: Record<TaskState, TaskRecord> = {
  pending: task(),
  scheduled: held(),
  running: held({ state: "running", runId: "run", sentAtMs: 5 }),
  succeeded: task({ state: "succeeded", endedBy: "attempt", finishedAtMs: 7 }),
  failed: task({ state: "failed", endedBy: "attempt", finishedAtMs: 7 }),
  cancelled: task({ state: "cancelled", endedBy: "attempt", finishedAtMs: 7 }),
};

const ref = { id: "t", attempt: 3 };
const SETTLEMENTS: Record<Settlement["kind"], Settlement> = {
  sent: { ...ref, kind: "sent", server: "s", instance: "i" },
  running: { ...ref, kind: "running", runId: "run-2" },
  succeeded: { ...ref, kind: "succeeded", result: RESULT, releaseHold: true },
  failed: { ...ref, kind: "failed", error: ERROR, releaseHold: true },
  cancelled: { ...ref, kind: "cancelled", releaseHold: true },
  abandoned: { ...ref, kind: "abandoned" },
  returned: { ...ref, kind: "returned", counts: false, delayMs: 0, error: ERROR, releaseHold: true },
};

/** The state after each settlement by the attempt that holds or held the task; `=` is accepted without a change. */
const SETTLED: Record<Settlement["kind"], Record<TaskState, string>> = {
  sent: {
    pending: "stale",
    scheduled: "scheduled",
    running: "running",
    succeeded: "stale",
    failed: "stale",
    cancelled: "stale",
  },
  running: {
    pending: "stale",
    scheduled: "running",
    running: "running",
    succeeded: "stale",
    failed: "stale",
    cancelled: "stale",
  },
  succeeded: {
    pending: "stale",
    scheduled: "succeeded",
    running: "succeeded",
    succeeded: "=",
    failed: "stale",
    cancelled: "stale",
  },
  failed: {
    pending: "stale",
    scheduled: "failed",
    running: "failed",
    succeeded: "stale",
    failed: "=",
    cancelled: "stale",
  },
  cancelled: {
    pending: "stale",
    scheduled: "cancelled",
    running: "cancelled",
    succeeded: "stale",
    failed: "stale",
    cancelled: "=",
  },
  abandoned: {
    pending: "=",
    scheduled: "pending",
    running: "running",
    succeeded: "stale",
    failed: "stale",
    cancelled: "stale",
  },
  returned: {
    pending: "=",
    scheduled: "pending",
    running: "pending",
    succeeded: "stale",
    failed: "stale",
    cancelled: "stale",
  },
};

describe("settle", () => {
  for (const [kind, byState] of Object.entries(SETTLED)) {
    for (const from of TASK_STATES) {
      it(`${kind} of a ${from} task: ${byState[from]}`, () => {
        const before = BY_STATE[from];
        const { outcome, changed } = state.settle(before, SETTLEMENTS[kind as Settlement["kind"]], NOW);
        if (byState[from] === "stale")
          expect({ outcome, changed }).toEqual({ outcome: "stale", changed: undefined });
        else if (byState[from] === "=")
          expect({ outcome, changed }).toEqual({ outcome: "accepted", changed: undefined });
        else expect([outcome, changed?.state]).toEqual(["accepted", byState[from]]);
      });
    }
  }

  for (const settlement of Object.values(SETTLEMENTS)) {
    it(`${settlement.kind} is fenced by the attempt, and by the hold`, () => {
      for (const attempt of [2, 4])
        expect(state.settle(held(), { ...settlement, attempt }, NOW).outcome).toBe("stale");
      // To let go once more of what one has let go of is the same settlement again.
      const again = settlement.kind === "abandoned" ? "accepted" : "stale";
      expect(state.settle(held({ holder: undefined }), settlement, NOW)).toEqual({ outcome: again });
    });
  }

  it("is accepted again, and changes nothing then", () => {
    for (const kind of ["succeeded", "failed", "cancelled", "returned", "abandoned"] as const) {
      const once = state.settle(held(), SETTLEMENTS[kind], NOW).changed as TaskRecord;
      expect(state.settle(once, SETTLEMENTS[kind], NOW + 1)).toEqual({ outcome: "accepted" });
    }
  });

  it("does not take an ending that the ledger wrote for its own", () => {
    const ended = task({ state: "cancelled", endedBy: "ledger" });
    expect(state.settle(ended, SETTLEMENTS.cancelled, NOW).outcome).toBe("stale");
  });

  it("tells the holder of a wish to cancel, with what does not end the task", () => {
    const wished = held({ cancelRequestedAtMs: 3 });
    expect(state.settle(wished, SETTLEMENTS.sent, NOW).outcome).toBe("cancel_requested");
    expect(state.settle(wished, SETTLEMENTS.running, NOW).outcome).toBe("cancel_requested");
    expect(state.settle(wished, SETTLEMENTS.succeeded, NOW).changed?.state).toBe("succeeded");
  });

  it("lets go of the task with every ending and return", () => {
    for (const kind of ["succeeded", "failed", "cancelled", "returned"] as const) {
      const { changed } = state.settle(held({ recovering: true }), SETTLEMENTS[kind], NOW);
      expect([changed?.holder, changed?.leaseExpiresAtMs, changed?.recovering]).toEqual([
        undefined,
        undefined,
        false,
      ]);
    }
  });

  it("keeps the first moment of the send", () => {
    const first = state.settle(held(), SETTLEMENTS.sent, 10).changed as TaskRecord;
    expect(state.settle(first, SETTLEMENTS.sent, 20).changed?.sentAtMs).toBe(10);
    expect(state.settle(first, SETTLEMENTS.running, 20).changed?.sentAtMs).toBe(10);
  });
});

describe("an abandoned attempt", () => {
  it("leaves what was sent to be found out, and gives back what was not", () => {
    for (const before of [held({ sentAtMs: 5 }), held({ state: "running", sentAtMs: 5, recovering: true })]) {
      const { changed } = state.settle(before, SETTLEMENTS.abandoned, NOW);
      expect(changed).toMatchObject({
        state: before.state,
        attempt: 3,
        sentAtMs: 5,
        failures: 0,
        lostAttempts: 0,
      });
      expect(state.needsRecovery(changed as TaskRecord)).toBe(true);
    }
    expect(state.settle(held(), SETTLEMENTS.abandoned, NOW).changed?.state).toBe("pending");
  });
});

describe("a return", () => {
  const counted = { ...SETTLEMENTS.returned, counts: true } as Settlement;

  it("counts only when it says so, and the last failure allowed ends the task", () => {
    expect(state.settle(held({ failures: 2 }), SETTLEMENTS.returned, NOW).changed?.failures).toBe(2);
    expect(state.settle(held({ failures: 1 }), counted, NOW).changed).toMatchObject({
      state: "pending",
      failures: 2,
    });
    const last = state.settle(held({ failures: 2 }), counted, NOW).changed as TaskRecord;
    expect(last).toMatchObject({ state: "failed", failures: 3, error: { code: "ATTEMPTS_EXHAUSTED" } });
    expect(last.error?.message).toContain("SERVER_BUSY");
    expect(state.settle(last, counted, NOW)).toEqual({ outcome: "accepted" });
  });

  it("keeps rank and error, forgets the send and the run, and sets the back-off", () => {
    const running = held({ state: "running", sentAtMs: 5, runId: "run", rank: -7 });
    const { changed } = state.settle(running, { ...SETTLEMENTS.returned, delayMs: 500 } as Settlement, NOW);
    expect(changed).toMatchObject({
      rank: -7,
      error: ERROR,
      sentAtMs: undefined,
      runId: undefined,
      notBeforeAtMs: NOW + 500,
    });
  });

  it("of a task that somebody wants cancelled ends it", () => {
    const { changed } = state.settle(held({ cancelRequestedAtMs: 3 }), SETTLEMENTS.returned, NOW);
    expect(changed).toMatchObject({ state: "cancelled", endedBy: "ledger" });
    expect(state.settle(changed as TaskRecord, SETTLEMENTS.returned, NOW)).toEqual({ outcome: "accepted" });
  });
});

describe("grant and recover", () => {
  it("a grant mints the next attempt and clears what the last one left", () => {
    const before = task({ sentAtMs: 5, runId: "run", notBeforeAtMs: 9, server: "old" });
    const granted = state.grant(before, { holder: HOLDER, server: "s", leaseMs: 100 }, NOW);
    expect(granted).toMatchObject({
      state: "scheduled",
      attempt: 4,
      holder: HOLDER,
      server: "s",
      startedAtMs: NOW,
    });
    expect(granted.leaseExpiresAtMs).toBe(NOW + 100);
    expect([granted.sentAtMs, granted.runId, granted.notBeforeAtMs]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(state.grant(granted, { holder: HOLDER, server: "s", leaseMs: 1 }, NOW + 5).startedAtMs).toBe(NOW);
  });

  it("a recovery mints an attempt too, but keeps server, send and run", () => {
    const lost = held({ state: "running", holder: undefined, sentAtMs: 5, runId: "run" });
    expect(state.needsRecovery(lost)).toBe(true);
    const recovered = state.recover(lost, { holder: "other/one", leaseMs: 100 }, NOW);
    expect(recovered).toMatchObject({
      state: "running",
      attempt: 4,
      recovering: true,
      server: "s",
      sentAtMs: 5,
      runId: "run",
    });
    expect(state.needsRecovery(recovered)).toBe(false);
  });
});

describe("renew", () => {
  it("prolongs the lease of the holder only, and notes the send once", () => {
    const renewed = state.renew(held(), { attempt: 3, sent: true }, 100, NOW).changed as TaskRecord;
    expect(renewed).toMatchObject({ leaseExpiresAtMs: NOW + 100, sentAtMs: NOW });
    expect(state.renew(renewed, { attempt: 3, sent: false }, 100, NOW + 9).changed?.sentAtMs).toBe(NOW);
    for (const attempt of [2, 4])
      expect(state.renew(held(), { attempt, sent: false }, 1, NOW).outcome).toBe("stale");
    for (const from of ["pending", "succeeded", "failed", "cancelled"] as const) {
      expect(state.renew(BY_STATE[from], { attempt: 3, sent: false }, 1, NOW)).toEqual({ outcome: "stale" });
    }
  });
});

describe("expire", () => {
  const random = (): number => 0.5;

  it("gives back what was never sent, without counting it as a failure", () => {
    const expired = state.expire(held(), NOW, random);
    expect(expired).toMatchObject({
      state: "pending",
      failures: 0,
      lostAttempts: 1,
      error: { code: "LEASE_LOST" },
    });
    expect(expired.notBeforeAtMs).toBeUndefined();
  });

  it("gives up a task that keeps losing its runners", () => {
    const expired = state.expire(held({ lostAttempts: state.MAX_LOST_ATTEMPTS - 1 }), NOW, random);
    expect(expired).toMatchObject({
      state: "failed",
      endedBy: "ledger",
      error: { code: "ATTEMPTS_EXHAUSTED" },
    });
  });

  it("counts a repeatable task that was sent, with a back-off", () => {
    const expired = state.expire(held({ sentAtMs: 5 }), NOW, random);
    expect(expired).toMatchObject({ state: "pending", failures: 1, lostAttempts: 0 });
    expect(expired.notBeforeAtMs).toBe(NOW + 250);
    expect(state.expire(held({ sentAtMs: 5, failures: 2 }), NOW, random)).toMatchObject({
      state: "failed",
      endedBy: "ledger",
    });
  });

  it("leaves what may not be sent again where it is, for somebody to find out", () => {
    const unclear = [
      held({ sentAtMs: 5, repeatable: false }),
      held({ state: "running", sentAtMs: 5 }),
      held({ state: "running", sentAtMs: 5, cancelRequestedAtMs: 6 }),
    ];
    for (const before of unclear) {
      const expired = state.expire(before, NOW, random);
      expect(expired).toMatchObject({
        state: before.state,
        attempt: 3,
        holder: undefined,
        sentAtMs: 5,
        failures: 0,
      });
      expect(state.needsRecovery(expired)).toBe(true);
    }
  });

  it("ends what was to be cancelled", () => {
    const wished = { cancelRequestedAtMs: 3 };
    expect(state.expire(held(wished), NOW, random).state).toBe("cancelled");
    expect(state.expire(held({ ...wished, sentAtMs: 5 }), NOW, random).state).toBe("cancelled");
  });
});

describe("unbegin and requestCancel", () => {
  it("a grant that nobody saw goes back as it was", () => {
    expect(state.unbegin(held(), NOW)).toMatchObject({ state: "pending", failures: 0, lostAttempts: 0 });
    expect(state.unbegin(held({ cancelRequestedAtMs: 3 }), NOW).state).toBe("cancelled");
    const recovering = held({ state: "running", recovering: true, sentAtMs: 5, cancelRequestedAtMs: 3 });
    expect(state.needsRecovery(state.unbegin(recovering, NOW))).toBe(true);
  });

  it.each([
    ["pending", "done", "cancelled"],
    ["scheduled", "requested", "scheduled"],
    ["running", "requested", "running"],
    ["succeeded", "too_late", undefined],
    ["failed", "too_late", undefined],
    ["cancelled", "too_late", undefined],
  ] as const)("a wish to cancel a %s task: %s", (from, outcome, after) => {
    const wish = state.requestCancel(BY_STATE[from], NOW);
    expect([wish.outcome, wish.changed?.state]).toEqual([outcome, after]);
    if (outcome === "requested") {
      expect(wish.changed?.cancelRequestedAtMs).toBe(NOW);
      expect(state.requestCancel(wish.changed as TaskRecord, NOW + 1)).toEqual({ outcome: "requested" });
    }
  });
});
