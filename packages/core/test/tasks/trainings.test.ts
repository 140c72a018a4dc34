import { describe, expect, it } from "vitest";
import type { Checkpoint } from "../../src/checkpoint.ts";
import { sleep } from "../../src/clock.ts";
import type { CallOutcome, RunReport } from "../../src/contracts/server-protocol.ts";
import { readAll } from "../../src/testing/checks/bytes.ts";
import { documentOf, MINUTE, SECOND, TrainingWorld } from "./support/training-world.ts";

const ended = (run: "succeeded" | "failed", more: Partial<RunReport> = {}): (() => RunReport) => {
  return () => ({ run, document: documentOf(`{"as":"${run}"}`), ...more });
};

describe("a training", () => {
  it("is running from its 202 on, and ends with its document", async () => {
    const world = new TrainingWorld();
    const gateway = await world.start();
    const id = await world.train(gateway);
    expect(await world.after(SECOND, gateway, id)).toMatchObject({ state: "running", runId: "run-1" });
    world.telling = ended("succeeded");
    expect(await world.after(20 * SECOND, gateway, id)).toMatchObject({ state: "succeeded" });
    const { body } = await gateway.result(id);
    expect(Buffer.from(await readAll(body)).toString()).toBe('{"as":"succeeded"}');
  });

  it("that failed keeps its document", async () => {
    const world = new TrainingWorld();
    const gateway = await world.start();
    const id = await world.train(gateway);
    world.telling = ended("failed");
    const task = await world.after(20 * SECOND, gateway, id);
    expect(task).toMatchObject({ state: "failed", error: { code: "RUN_FAILED" }, result: { sizeBytes: 15 } });
  });

  it("takes no inference slot, neither while it is sent nor while it runs", async () => {
    const world = new TrainingWorld();
    const gateway = await world.start();
    let accept = (): void => {};
    const accepted = new Promise<void>((resolve) => {
      accept = resolve;
    });
    world.answer = async ({ operation }) => {
      if (operation === "process") return { kind: "done", answer: documentOf("x") };
      await accepted;
      return { kind: "accepted", runId: "run-1" };
    };
    const id = await world.train(gateway);
    const infer = async (): Promise<string> => {
      const task = await gateway.submit({ model: "m", operation: "process", payload: "note" });
      return (await world.after(SECOND, gateway, task.id)).state;
    };
    expect(world.calls).toHaveLength(1);
    expect(await infer()).toBe("succeeded");
    accept();
    expect((await world.after(SECOND, gateway, id)).state).toBe("running");
    expect(await infer()).toBe("succeeded");
  });

  it("is looked at soon, then ever more slowly, and never all at once", async () => {
    const world = new TrainingWorld(25 * 60 * MINUTE);
    const gateway = await world.start();
    await world.train(gateway);
    await world.clock.advance(SECOND);
    expect(world.looks.length).toBeGreaterThanOrEqual(3);
    await world.clock.advance(60 * MINUTE);
    const pauses = world.looks.slice(1).map(({ atMs }, at) => atMs - (world.looks[at]?.atMs ?? 0));
    expect(world.looks.length).toBeLessThan(265);
    expect(Math.max(...pauses)).toBeLessThan(19 * SECOND);
  });

  it("of many is looked at by 32 at a time, and none is forgotten", async () => {
    const world = new TrainingWorld();
    for (let at = 0; at < 200; at++) world.tell({ models: [`m${at}`] }, `s${at}`);
    const gateway = await world.start();
    world.telling = async () => {
      await new Promise<void>((resolve) => world.clock.after(50, resolve));
      return { run: "active" };
    };
    await gateway.submit(
      Array.from({ length: 200 }, (_, at) => ({ model: `m${at}`, operation: "train", payload: "notes" })),
    );
    await world.clock.advance(30 * SECOND);
    expect(new Set(world.looks.map(({ taskId }) => taskId)).size).toBe(200);
    expect(world.mostLooking).toBe(32);
    await gateway.stop({ drainMs: 0 });
    const next = await world.start();
    world.looks.length = 0;
    await world.clock.advance(30 * SECOND);
    expect(new Set(world.looks.map(({ taskId }) => taskId)).size).toBe(200);
    world.telling = ended("succeeded");
    await world.clock.advance(40 * SECOND);
    expect((await next.list({ filter: { states: ["running"] } })).items).toHaveLength(0);
  });

  it.each<readonly [string, CallOutcome]>([
    ["whose answer was lost", { kind: "broken", reason: "reset" }],
    ["that was accepted without saying which", { kind: "accepted" }],
  ])("%s is known by its run, though it was over when that was found", async (_which, outcome) => {
    const world = new TrainingWorld();
    const gateway = await world.start();
    world.answer = async () => outcome;
    world.telling = ended("succeeded", { runId: "run-2" });
    const id = await world.train(gateway);
    expect(await world.after(20 * SECOND, gateway, id)).toMatchObject({ state: "succeeded", runId: "run-2" });
  });

  it("that is retried by hand is a new run with a new name", async () => {
    const world = new TrainingWorld();
    const gateway = await world.start();
    const id = await world.train(gateway);
    world.telling = ended("failed");
    await world.after(20 * SECOND, gateway, id);
    const again = await gateway.retry(id);
    await world.clock.advance(20 * SECOND);
    expect(world.calls.map(({ taskId }) => taskId)).toEqual([id, again.id]);
    expect(again.id).not.toBe(id);
  });
});

describe("an ending that may look otherwise in a moment", () => {
  it("is not believed at the first look", async () => {
    const world = new TrainingWorld();
    const gateway = await world.start();
    const id = await world.train(gateway);
    const doubtedFromMs = world.clock.now() + 10 * SECOND;
    // Marked as failed a moment before the run that shows why.
    world.telling = (_query, nowMs) =>
      nowMs > doubtedFromMs && nowMs < doubtedFromMs + 4 * SECOND
        ? ended("failed", { isProvisional: true })()
        : { run: "active" };
    expect((await world.after(5 * MINUTE, gateway, id)).state).toBe("running");
    world.telling = ended("failed", { isProvisional: true });
    expect((await world.after(MINUTE, gateway, id)).state).toBe("failed");
  });
});

describe("a look whose answer was held up", () => {
  it("is as old as its question", async () => {
    const world = new TrainingWorld();
    let doubted = 0;
    const checkpoint: Checkpoint = async (name, promise) => {
      const value = await promise;
      if (name === "runner.find-run" && doubted === 2) await sleep(world.clock, 8 * SECOND);
      return value;
    };
    const gateway = await world.start({ checkpoint });
    const id = await world.train(gateway);
    world.telling = () => {
      doubted += 1;
      return doubted <= 2 ? ended("failed", { isProvisional: true })() : { run: "active" };
    };
    expect((await world.after(MINUTE, gateway, id)).state).toBe("running");
    expect(doubted).toBeGreaterThan(2);
  });
});

describe("an ambiguous ending", () => {
  it("is waited for while one of the runs works", async () => {
    const world = new TrainingWorld();
    const gateway = await world.start();
    const id = await world.train(gateway);
    world.telling = { run: "ambiguous" };
    expect((await world.after(20 * SECOND, gateway, id)).state).toBe("running");
    world.telling = { run: "active" };
    await world.clock.advance(30 * SECOND);
    world.telling = { run: "ambiguous" };
    expect((await world.after(20 * SECOND, gateway, id)).state).toBe("running");
    world.telling = ended("succeeded");
    expect((await world.after(20 * SECOND, gateway, id)).state).toBe("succeeded");
  });

  it("fails after a quiet period as unknown, and is never sent again", async () => {
    const world = new TrainingWorld();
    const gateway = await world.start();
    const id = await world.train(gateway);
    world.telling = { run: "ambiguous" };
    const task = await world.after(MINUTE, gateway, id);
    expect(task).toMatchObject({ state: "failed", error: { code: "OUTCOME_UNKNOWN" } });
    expect((task.finishedAtMs ?? 0) - (task.sentAtMs ?? 0)).toBeGreaterThan(30 * SECOND);
    expect(world.calls).toHaveLength(1);
  });
});

describe("a server that is gone", () => {
  async function begun(instance?: string, timeoutMs?: number) {
    const world = new TrainingWorld(timeoutMs);
    world.answer = () => ({ kind: "accepted", runId: "run-1", instance });
    const gateway = await world.start();
    const id = await world.train(gateway);
    return { world, gateway, id };
  }
  const lost = { state: "failed", error: { code: "RUN_FAILED" } };

  it.each(["header", "process"])("ends the training by its own word: %s", async (source) => {
    const { world, gateway, id } = await begun(`${source}:1`);
    world.telling = { run: "active", instance: `${source}:1` };
    expect((await world.after(MINUTE, gateway, id)).state).toBe("running");
    world.telling = { run: "active", instance: `${source}:2` };
    expect(await world.after(MINUTE, gateway, id)).toMatchObject(lost);
    expect(world.calls).toHaveLength(1);
  });

  it("is not seen in marks of another source", async () => {
    const { world, gateway, id } = await begun("header:1");
    world.telling = { run: "active", instance: "process:1" };
    expect((await world.after(10 * MINUTE, gateway, id)).state).toBe("running");
    world.telling = { run: "active", instance: "process:2" };
    expect(await world.after(MINUTE, gateway, id)).toMatchObject(lost);
  });

  it("is not believed of two processes behind one address that answer in turns", async () => {
    const { world, gateway, id } = await begun("header:1");
    let looks = 0;
    world.telling = () => {
      looks += 1;
      return { run: "active", instance: `header:${1 + (looks % 2)}` };
    };
    expect((await world.after(2 * SECOND, gateway, id)).state).toBe("running");
    world.telling = { run: "active", instance: "header:1" };
    expect((await world.after(MINUTE, gateway, id)).state).toBe("running");
  });

  it("is seen by a process that began after the run did", async () => {
    const { world, gateway, id } = await begun();
    world.telling = { run: "active", isLost: true };
    expect(await world.after(MINUTE, gateway, id)).toMatchObject(lost);
  });

  it("is seen by discovery, where the server does not say", async () => {
    const { world, gateway, id } = await begun();
    world.tell({ instance: "container@1" });
    expect((await world.after(2 * MINUTE, gateway, id)).state).toBe("running");
    world.tell({ instance: "container@2" });
    expect(await world.after(MINUTE, gateway, id)).toMatchObject(lost);
  });

  it("is not seen by a discovery that was late, nor against the server's own word", async () => {
    const late = await begun();
    late.world.tell({ instance: "container@1" });
    await late.world.clock.advance(4 * SECOND);
    late.world.tell({ instance: "container@2" });
    expect((await late.world.after(10 * MINUTE, late.gateway, late.id)).state).toBe("running");
    const told = await begun("header:1");
    told.world.telling = { run: "active", instance: "header:1" };
    told.world.tell({ instance: "container@1" });
    await told.world.clock.advance(MINUTE);
    told.world.tell({ instance: "container@2" });
    expect((await told.world.after(10 * MINUTE, told.gateway, told.id)).state).toBe("running");
  });

  it("does not take away an ending that shows in the same look", async () => {
    const { world, gateway, id } = await begun("header:1");
    world.telling = ended("succeeded", { instance: "header:2" });
    expect((await world.after(MINUTE, gateway, id)).state).toBe("succeeded");
  });

  it("is waited out for as long as nobody can tell how the training ended", async () => {
    const { world, gateway, id } = await begun("header:1");
    world.telling = { run: "unclear", instance: "header:2" };
    expect((await world.after(4 * MINUTE, gateway, id)).state).toBe("running");
    expect(await world.after(2 * MINUTE, gateway, id)).toMatchObject(lost);
  });

  it("and whose address is unknown leaves the word to its tracker", async () => {
    const { world, gateway, id } = await begun("header:1");
    await world.clock.advance(MINUTE);
    world.discovery.remove("s");
    world.telling = ended("succeeded");
    expect((await world.after(MINUTE, gateway, id)).state).toBe("succeeded");
  });

  it("is asked which process it is at most every 30 seconds", async () => {
    const { world } = await begun("header:1");
    await world.clock.advance(60 * MINUTE);
    const asking = world.looks.filter(({ wantsInstance }) => wantsInstance === true);
    expect(asking.length).toBeGreaterThan(90);
    expect(asking.length).toBeLessThan(121);
    expect((asking[0]?.atMs ?? 0) - (world.looks[0]?.atMs ?? 0)).toBeGreaterThanOrEqual(25 * SECOND);
  });
});

describe("no such run", () => {
  it("ends an accepted training only after a quiet period in which nobody was unclear", async () => {
    const world = new TrainingWorld();
    const gateway = await world.start();
    const id = await world.train(gateway);
    await world.clock.advance(MINUTE);
    world.telling = { run: "none" };
    expect((await world.after(25 * SECOND, gateway, id)).state).toBe("running");
    world.telling = { run: "unclear" };
    await world.clock.advance(20 * SECOND);
    world.telling = { run: "none" };
    expect((await world.after(25 * SECOND, gateway, id)).state).toBe("running");
    const task = await world.after(40 * SECOND, gateway, id);
    expect(task).toMatchObject({ state: "failed", error: { code: "OUTCOME_UNKNOWN" } });
    expect(world.calls).toHaveLength(1);
  });
});

describe("a restart of every process", () => {
  it("goes on with the run and the process that were stored", async () => {
    const world = new TrainingWorld();
    world.answer = () => ({ kind: "accepted", runId: "run-1", instance: "header:1" });
    const first = await world.start();
    const id = await world.train(first);
    await world.clock.advance(MINUTE);
    world.kill(first);
    await world.clock.advance(MINUTE);
    const next = await world.start();
    world.looks.length = 0;
    expect((await world.after(MINUTE, next, id)).state).toBe("running");
    expect(world.looks[0]).toMatchObject({
      taskId: id,
      runId: "run-1",
      operation: "train",
      wantsInstance: true,
    });
    world.telling = { run: "active", instance: "header:2" };
    expect(await world.after(2 * MINUTE, next, id)).toMatchObject({ error: { code: "RUN_FAILED" } });
    expect(world.calls).toHaveLength(1);
  });

  it("does not give a training more time", async () => {
    const world = new TrainingWorld(20 * MINUTE);
    const first = await world.start();
    const id = await world.train(first);
    await world.clock.advance(8 * MINUTE);
    world.kill(first);
    await world.clock.advance(MINUTE);
    const second = await world.start();
    await world.clock.advance(8 * MINUTE);
    await second.stop({ drainMs: 0 });
    const third = await world.start();
    expect((await world.after(2 * MINUTE, third, id)).state).toBe("running");
    const task = await world.after(3 * MINUTE, third, id);
    expect(task).toMatchObject({ state: "failed", error: { code: "RUN_TIMEOUT" } });
    expect((task.finishedAtMs ?? 0) - (task.sentAtMs ?? 0)).toBeLessThan(21.5 * MINUTE);
    expect(world.cancels).toHaveLength(1);
  });

  it("after the deadline lets what is unclear be cleared up first", async () => {
    const world = new TrainingWorld(5 * MINUTE);
    const first = await world.start();
    const id = await world.train(first);
    world.kill(first);
    await world.clock.advance(10 * MINUTE);
    const next = await world.start();
    world.telling = { run: "unclear" };
    expect((await world.after(25 * SECOND, next, id)).state).toBe("running");
    world.telling = ended("succeeded");
    expect((await world.after(20 * SECOND, next, id)).state).toBe("succeeded");
  });
});

describe("a busy server", () => {
  it("is waited for, however long, and nothing is begun twice", async () => {
    const world = new TrainingWorld();
    const gateway = await world.start();
    world.answer = () => ({ kind: "refused", reason: "busy", blockingRunId: "run-0" });
    const id = await world.train(gateway);
    const task = await world.after(30 * MINUTE, gateway, id);
    expect(task).toMatchObject({ state: "pending", failures: 0 });
    world.answer = () => ({ kind: "accepted", runId: "run-1" });
    expect((await world.after(MINUTE, gateway, id)).state).toBe("running");
  });
});

describe("a 202 that was lost", () => {
  it("is followed by a watch of the run that is found by the task's id", async () => {
    const world = new TrainingWorld();
    const gateway = await world.start();
    world.answer = () => ({ kind: "broken", reason: "reset" });
    world.telling = { run: "active", runId: "run-9", instance: "process:1" };
    const id = await world.train(gateway);
    expect(await world.after(SECOND, gateway, id)).toMatchObject({
      ...{ state: "running", runId: "run-9", instance: "process:1" },
    });
    world.telling = ended("succeeded");
    expect((await world.after(MINUTE, gateway, id)).state).toBe("succeeded");
    expect(world.calls).toHaveLength(1);
  });
});
