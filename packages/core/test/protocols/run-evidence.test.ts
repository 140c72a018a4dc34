import { describe, expect, it } from "vitest";
import type { TrackedRun } from "../../src/contracts/tracking.ts";
import { errorsOf, hasEarlierWork, judgeRun, type TrainerMode } from "../../src/protocols/run-evidence.ts";

const STATES = { RUNNING: "active", FINISHED: "succeeded", FAILED: "failed", KILLED: "failed" } as const;
type Status = keyof typeof STATES;
type More = Partial<TrackedRun>;

let made = 0;
function run(status: Status, startedAtMs: number, endedAtMs: number | undefined, more: More): TrackedRun {
  made += 1;
  return {
    ...{ id: `r${made}`, state: STATES[status], status, startedAtMs, endedAtMs },
    ...{ experimentId: "1", metrics: {}, params: {}, tags: {} },
    ...more,
  };
}

/** A run that the server on `host` named in a 202. */
function named(
  status: Status,
  startedAtMs: number,
  endedAtMs?: number,
  host = "one",
  more: More = {},
): TrackedRun {
  const tags = { "training.is.tracked": "True", "mlflow.source.name": host, ...more.tags };
  return run(status, startedAtMs, endedAtMs, { name: `task-${made}`, ...more, tags });
}

/** A run that an MLflow client opened by itself. */
function invented(status: Status, startedAtMs: number, more: More = {}): TrackedRun {
  const endedAtMs = status === "RUNNING" ? undefined : startedAtMs + 100;
  const tags = { "training.trainer.mode": "train", ...more.tags };
  return run(status, startedAtMs, endedAtMs, { name: `calm-foal-${made}`, ...more, tags });
}

function judge(own: TrackedRun, others: readonly TrackedRun[], mode: TrainerMode = "train"): string {
  const { run: state, result, isProvisional } = judgeRun(own, [own, ...others], mode);
  return [state, result?.id, isProvisional ? "provisional" : undefined].filter(Boolean).join(" ");
}

describe("the run of the 202", () => {
  it("ends by itself with an older MLflow client", () => {
    expect(judge(named("FINISHED", 1000, 2000), [])).toBe("succeeded");
    expect(judge(named("RUNNING", 1000), [])).toBe("active");
    const failed = named("FAILED", 1000, 2000, "one", { tags: { exception: "no labels" } });
    expect(judge(failed, [named("RUNNING", 2001)])).toBe("failed");
  });

  it("that failed without a reason is believed only when it is told again", () => {
    expect(judge(named("KILLED", 1000, 60_000), [])).toBe("failed provisional");
  });

  it.each([
    ["when another begins at that moment on its server", named("RUNNING", 62_900), "active"],
    ["also where the other began right before", named("RUNNING", 57_100), "active"],
    ["not when it began on another server", named("RUNNING", 60_000, undefined, "two"), "failed provisional"],
    ["not when it began long after", named("RUNNING", 63_100), "failed provisional"],
    [
      "where servers are not told apart, whichever it is",
      { ...named("RUNNING", 60_000), tags: { "training.is.tracked": "True" } },
      "active",
    ],
  ])("is not believed to have failed: %s", (_when, other, expected) => {
    expect(judge(named("FAILED", 1000, 60_000), [other])).toBe(expected);
  });
});

describe("another run that holds the result", () => {
  const own = named("RUNNING", 1000);

  it.each(["FINISHED", "FAILED", "KILLED", "RUNNING"] as const)(
    "ends the training as it says: %s",
    (status) => {
      const result = invented(status, 1100);
      expect(judge(own, [result])).toBe(`${STATES[status]} ${result.id}`);
    },
  );

  it("is believed before a failure of the named run that nothing explains", () => {
    const result = invented("FINISHED", 1100);
    expect(judge(named("FAILED", 1000, 60_000), [result, named("RUNNING", 60_100)])).toBe(
      `succeeded ${result.id}`,
    );
    expect(judge(named("KILLED", 1000, 60_000), [result])).toBe(`succeeded ${result.id}`);
  });

  it("may be in the default experiment, or in one that its server used before", () => {
    const inDefault = invented("FINISHED", 1100, { experimentId: "0" });
    expect(judge(own, [inDefault])).toBe(`succeeded ${inDefault.id}`);
    const earlier = named("FINISHED", 10, 20, "one", { experimentId: "7" });
    const there = invented("FINISHED", 1100, { experimentId: "7" });
    expect(judge(own, [earlier, there])).toBe(`succeeded ${there.id}`);
    expect(judge(own, [{ ...earlier, tags: { ...earlier.tags, "mlflow.source.name": "two" } }, there])).toBe(
      "active",
    );
    const model = named("RUNNING", 1000, undefined, "one", { experimentName: "big_model_supervised" });
    const sibling = invented("FINISHED", 1100, {
      experimentId: "8",
      experimentName: "big_model_meta_supervised",
    });
    expect(judge(model, [sibling])).toBe(`succeeded ${sibling.id}`);
    expect(judge(model, [{ ...sibling, experimentName: "model_supervised" }])).toBe("active");
  });

  it.each([
    ["began before it", invented("FINISHED", 999)],
    ["is in an experiment of somebody else", invented("FINISHED", 1100, { experimentId: "9" })],
    ["evaluates", invented("FINISHED", 1100, { tags: { "training.trainer.mode": "eval" } })],
    ["was named by somebody", invented("FINISHED", 1100, { name: "my run" })],
    ["was named by a server", invented("FINISHED", 1100, { tags: { "training.is.tracked": "True" } })],
    [
      "is anybody's in the default experiment",
      { ...invented("FINISHED", 1100, { experimentId: "0" }), tags: {} },
    ],
  ])("is none that %s", (_what, other) => {
    expect(judge(own, [other])).toBe("active");
  });

  it("began before the next training of that server", () => {
    const next = named("RUNNING", 60_000);
    const failed = named("FAILED", 1000, 60_000);
    const itsOwn = invented("FINISHED", 60_050);
    expect(judge(failed, [next, itsOwn])).toBe("active");
    expect(judge(next, [failed, itsOwn])).toBe(`succeeded ${itsOwn.id}`);
  });

  it("may have begun after the training of another model's server on the same host", () => {
    const of = (model: string): More => ({ experimentName: `${model}_supervised` });
    const orphan = named("RUNNING", 1000, undefined, "one", of("a"));
    const neighbour = named("FINISHED", 1010, 1500, "one", of("b"));
    const result = invented("FINISHED", 1020, { experimentId: "0" });
    expect(judge(orphan, [neighbour, result])).toBe(`succeeded ${result.id}`);
    expect(judge(orphan, [{ ...neighbour, ...of("a") }, result])).toBe("active");
  });
});

describe("several trainings on one tracker", () => {
  it("sort themselves out one after another, though servers are not told apart", () => {
    const plain = { tags: { "training.is.tracked": "True" } };
    const first = { ...named("RUNNING", 1000), ...plain };
    const a = invented("FINISHED", 1010);
    const second = { ...named("RUNNING", 2000), ...plain };
    const b = invented("FAILED", 2010);
    const third = { ...named("RUNNING", 3000), ...plain };
    const c = invented("RUNNING", 3010);
    const all = [first, a, second, b, third, c];
    expect(judge(first, all)).toBe(`succeeded ${a.id}`);
    expect(judge(second, all)).toBe(`failed ${b.id}`);
    expect(judge(third, all)).toBe(`active ${c.id}`);
  });

  it("are ambiguous when two could claim the same results, once nothing works any more", () => {
    const one = named("RUNNING", 1000);
    const two = named("RUNNING", 1001, undefined, "two");
    const results = [invented("FINISHED", 1010), invented("FAILED", 1011)];
    expect(judge(one, [two, ...results])).toBe("ambiguous");
    expect(judge(two, [one, ...results])).toBe("ambiguous");
    expect(judge(one, [two, results[0] as TrackedRun, invented("RUNNING", 1011)])).toBe("active");
  });

  it("are ambiguous when two results fit one", () => {
    expect(judge(named("RUNNING", 1000), [invented("FINISHED", 1010), invented("FAILED", 1011)])).toBe(
      "ambiguous",
    );
  });

  it("are not, once the other has its own ending", () => {
    const one = named("RUNNING", 1000);
    const result = invented("FINISHED", 1010);
    for (const other of [
      named("FINISHED", 1001, 1005, "two"),
      named("FAILED", 1001, 1005, "two", { tags: { exception: "no" } }),
      named("FAILED", 500, 1005, "one"),
    ]) {
      expect(judge(one, [other, result])).toBe(`succeeded ${result.id}`);
    }
  });

  it("that began earlier and left nothing on the same server claim nothing later", () => {
    const own = named("RUNNING", 5000);
    const result = invented("FINISHED", 5010);
    expect(judge(own, [named("RUNNING", 1000), result])).toBe(`succeeded ${result.id}`);
    expect(judge(own, [named("RUNNING", 1000, undefined, "two"), result])).toBe("ambiguous");
  });
});

describe("work that a cancel must not hit", () => {
  const own = named("RUNNING", 5000);

  it("is what began before on the same server and goes on", () => {
    expect(hasEarlierWork(own, [own, invented("RUNNING", 4000)])).toBe(true);
    expect(hasEarlierWork(own, [own, named("RUNNING", 4000)])).toBe(true);
    expect(hasEarlierWork(own, [own, invented("RUNNING", 4000, { experimentId: "9" })])).toBe(false);
    expect(hasEarlierWork(own, [own, invented("FINISHED", 4000)])).toBe(false);
    expect(hasEarlierWork(own, [own, invented("RUNNING", 5001)])).toBe(false);
    expect(hasEarlierWork(own, [own, named("RUNNING", 4000, undefined, "two")])).toBe(false);
  });
});

it("errors are one, or several in their order", () => {
  expect(errorsOf({ exception: "one" })).toEqual(["one"]);
  expect(errorsOf({ exception_10: "c", exception_2: "b", exception_x: "no" })).toEqual(["b", "c"]);
});
