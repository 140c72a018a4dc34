import { describe, expect, it } from "vitest";
import type { JournalLine } from "./journal.ts";
import { type Evidence, judgeTrainings, type Training } from "./judge-trainings.ts";

const begun: JournalLine = { pid: 1, tracking_id: "a", run_id: "r", event: "begun" };
const ended: JournalLine = { ...begun, event: "ended", status: "FINISHED" };
const good: Training = {
  ...{ id: "a", round: "well", isCancelled: false, state: "succeeded", trackingId: "r", error: null },
  documentRunId: "r",
};
const unknown = { state: "failed", error: "It may have run, and nobody can tell.", documentRunId: undefined };

function judged(
  training: Partial<Training>,
  journal: readonly JournalLine[] = [begun, ended],
  more: Partial<Evidence> = {},
): readonly string[] {
  return judgeTrainings({
    ...{ trainings: [{ ...good, ...training }], journal, killed: new Set<number>() },
    ...{ strangers: new Set<string>(), mayBeUnknown: new Set(["muddle"]), ...more },
  });
}

describe("the judge of trainings", () => {
  it("is content with what was promised", () => {
    expect(judged({})).toEqual([]);
    expect(judged({ round: "muddle", ...unknown })).toEqual([]);
    expect(judged({ state: "failed", error: "lost" }, [begun], { killed: new Set([1]) })).toEqual([]);
    expect(judged({ state: "cancelled", isCancelled: true }, [begun])).toEqual([]);
    const other = { ...begun, tracking_id: "b" };
    expect(judged({}, [begun, ended, other], { strangers: new Set(["b"]) })).toEqual([]);
  });

  it.each<readonly [string, readonly string[], RegExp]>([
    ["a training that was begun twice", judged({}, [begun, ended, begun]), /begun 2 times/],
    ["one that nobody submitted", judged({}, [begun, ended, { ...begun, tracking_id: "b" }]), /no such task/],
    ["one that never ended", judged({ state: "running" }), /never ended/],
    ["a success that never ran", judged({ trackingId: null, documentRunId: undefined }, []), /never begun/],
    ["a success that failed", judged({}, [begun, { ...ended, status: "FAILED" }]), /was FAILED/],
    ["a success that was lost", judged({}, [begun], { killed: new Set([1]) }), /was lost/],
    ["a success without a document", judged({ documentRunId: undefined }), /without a document/],
    ["a failure that finished", judged({ state: "failed", error: "x" }), /was FINISHED/],
    ["a failure that goes on", judged({ state: "failed", error: "x" }, [begun]), /still at work/],
    ["an ending that could be told", judged(unknown), /ended as unknown/],
    ["an end that nobody asked for", judged({ state: "cancelled" }), /nobody had asked/],
    ["another run's document", judged({ documentRunId: "q" }), /document of q/],
    ["another run's id", judged({ trackingId: "q", documentRunId: "q" }), /tracking id q/],
  ])("finds %s", (_what, violations, sentence) => {
    expect(violations.join("\n")).toMatch(sentence);
  });
});
