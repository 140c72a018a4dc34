import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createNlpServer, type NlpServer } from "../../../../examples/nlp-server/src/server.ts";
import { type BuiltCommand, buildCommand } from "../support/build-command.ts";
import { History } from "./history.ts";
import { killRun } from "./kill-run.ts";

describe("modelgate serve under kill -9", () => {
  let built: BuiltCommand;
  let model: NlpServer;
  let modelUrl: string;

  beforeAll(async () => {
    model = createNlpServer({ engine: "echo", faults: true });
    built = await buildCommand();
    modelUrl = (await model.listen()).url;
  });

  afterAll(async () => {
    await Promise.all([built.remove(), model.close()]);
  });

  it("loses nothing, changes nothing that ended, and repeats no more than it must", {
    timeout: 120_000,
  }, async () => {
    const report = await killRun({ command: built.file, modelUrl, kills: 4, seed: 7 });
    expect(report.violations).toEqual([]);
    expect(report.killsInRecovery).toBe(1);
    expect(report.succeeded).toBe(report.acknowledged);
    expect(report.reads).toBeGreaterThan(report.acknowledged);
  });
});

describe("the history of a kill run", () => {
  function history(): History {
    const made = new History();
    made.accept({ id: "a", operation: "process", text: "x" });
    return made;
  }

  it("is content with what was promised", () => {
    const seen = history();
    for (const state of ["pending", "scheduled", "pending", "succeeded", "succeeded"])
      seen.sawState("a", state);
    seen.sawResult("a", Buffer.from("1"));
    seen.sawResult("a", Buffer.from("1"));
    expect(seen.violations).toEqual([]);
    expect(seen.endingOf("a")).toBe("succeeded");
  });

  it.each([
    [
      "an ending that is taken back",
      (seen: History) => ["succeeded", "pending"].map((each) => seen.sawState("a", each)),
    ],
    [
      "an ending that changes",
      (seen: History) => ["failed", "succeeded"].map((each) => seen.sawState("a", each)),
    ],
    [
      "a result that changes",
      (seen: History) => ["1", "2"].map((each) => seen.sawResult("a", Buffer.from(each))),
    ],
    ["a task that is gone", (seen: History) => seen.sawMissing("a", 404)],
    [
      "an id that is given twice",
      (seen: History) => seen.accept({ id: "a", operation: "redact", text: "y" }),
    ],
  ])("finds %s", (_what, happens) => {
    const seen = history();
    happens(seen);
    expect(seen.violations).toHaveLength(1);
  });
});
