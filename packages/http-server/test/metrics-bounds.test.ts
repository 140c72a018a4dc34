import { createGateway, type GatewayEvents } from "@modelgate/core";
import { memoryDiscovery, memoryLedger } from "@modelgate/core/memory";
import { describe, expect, it } from "vitest";
import { createHttpHandler, createMetrics, timeLedger } from "../src/index.ts";
import { LaneHeads } from "../src/metrics/lane-heads.ts";
import type { MetricSpec } from "../src/metrics/metric-table.ts";
import { Counts, Histogram } from "../src/metrics/series.ts";
import { TaskTimes } from "../src/metrics/task-times.ts";

type Emit = <E extends keyof GatewayEvents>(event: E, ...args: Parameters<GatewayEvents[E]>) => void;

/** A gateway whose events the test makes itself, as a hundred thousand tasks would take too long. */
function gatewayWithEvents() {
  const gateway = createGateway({ discovery: memoryDiscovery() });
  const emitter = gateway.events as unknown as { emit: Emit; listenerCount(event: string): number };
  return { gateway, emit: emitter.emit.bind(emitter) as Emit, emitter };
}

describe("the labels of metrics", () => {
  it("hold 200 models and the known operations and codes, and not one more", async () => {
    const { gateway, emit } = gatewayWithEvents();
    const metrics = createMetrics(gateway);
    for (let i = 0; i < 500; i += 1) {
      const task = { id: `id-${i}`, model: `model-${i}`, operation: "process" };
      emit("task:submitted", { ...task, priority: 5 });
      emit("task:ended", { ...task, state: "failed", attempt: 1, code: "OWN_CODE_OF_SOMEBODY" });
    }
    emit("task:submitted", { id: "x", model: "model-1", operation: "an invented one", priority: 5 });
    const { text } = await metrics.render();
    const submitted = text.split("\n").filter((line) => line.startsWith("gateway_tasks_processed_total{"));
    expect(submitted).toHaveLength(202);
    expect(submitted).toContain('gateway_tasks_processed_total{model="other",task="process"} 300');
    expect(submitted).toContain('gateway_tasks_processed_total{model="model-1",task="other"} 1');
    expect(text).toContain(
      'scheduler_tasks_completed_total{model="model-7",type="process",status="failed",code="other"} 1',
    );
    expect(text).not.toContain("OWN_CODE");
    expect(text).not.toContain("invented");
  });

  // MODELGATE_METRICS_TASKS=100000 npx vitest run packages/http-server/test/metrics-bounds.test.ts
  it("get no new series from more tasks, and none from paths, methods, models and agents that somebody made up", async () => {
    const count = Number(process.env["MODELGATE_METRICS_TASKS"] ?? 1_000);
    const { gateway, emit } = gatewayWithEvents();
    const metrics = createMetrics(gateway);
    const { fetch } = createHttpHandler(gateway, { metrics });
    const states = ["succeeded", "failed", "cancelled"] as const;
    const run = (id: string, at: number): void => {
      const task = { id, model: `model-${at % 210}`, operation: at % 7 === 0 ? `op-${at}` : "process" };
      const attempt = { ...task, attempt: 1, server: `server-${at}` };
      emit("task:submitted", { ...task, priority: at % 11 });
      emit("task:started", attempt);
      if (at % 5 === 0) emit("task:running", attempt);
      if (at % 3 === 0) emit("task:returned", { ...attempt, counts: at % 2 === 0, code: `CODE_${at}` });
      emit("task:ended", { ...task, state: states[at % 3] ?? "failed", attempt: 1, code: `CODE_${at}` });
      metrics.observe("/tasks/:id", "GET", 200, 1);
      metrics.deployed(task.model, `models:/${at % 210}`);
    };
    const attack = async (mark: string): Promise<void> => {
      for (const part of ["%00%0a", "../../etc/passwd", 'a"}b{', "x".repeat(2_000), "{model}"]) {
        const hostile = `${mark}${part}`;
        for (const path of [`/${hostile}`, `/models/${hostile}/tasks/${hostile}`]) {
          for (const method of ["POST", "GET", `M${mark}`]) {
            const headers = { "user-agent": `agent-of-${mark}` };
            await (await fetch(new Request(new URL(path, "http://gateway"), { method, headers }))).text();
          }
        }
      }
    };
    const seriesIn = async (): Promise<string[]> => {
      const { text } = await metrics.render();
      const lines = text.split("\n").filter((line) => /^(gateway|scheduler|ripper|modelgate)_/.test(line));
      return lines.map((line) => line.replace(/ \S+$/, "")).sort();
    };
    // What the labels are made of repeats itself from here on.
    for (let at = 0; at < 210; at += 1) run(`first-${at}`, at);
    await attack("once");
    const before = new Set(await seriesIn());
    for (let at = 0; at < count; at += 1) run(`then-${at}`, at);
    for (let time = 0; time < 5; time += 1) await attack(`again-${time}`);
    const after = await seriesIn();
    expect(after.filter((series) => !before.has(series))).toEqual([]);
    expect(after.join("\n")).not.toMatch(/then-|server-|agent-of|once|again|passwd|CODE_|op-/);
    metrics.close();
  }, 60_000);

  it("make at most a thousand series, and one for the rest", () => {
    const spec: MetricSpec = { name: "n", type: "counter", labels: ["a", "b"], help: "h" };
    const counts = new Counts(spec);
    for (let i = 0; i < 3000; i += 1) counts.at(`a${i}`, "b").value += 1;
    const { samples } = counts.family();
    expect(samples).toHaveLength(1001);
    expect(samples.at(-1)).toEqual({ labels: { a: "other", b: "other" }, value: 2000 });
  });

  it("are escaped where they hold what the format means otherwise", async () => {
    const { gateway, emit } = gatewayWithEvents();
    const metrics = createMetrics(gateway);
    emit("task:submitted", { id: "x", model: 'a"b\\c\nd', operation: "process", priority: 5 });
    expect((await metrics.render()).text).toContain('{model="a\\"b\\\\c\\nd",task="process"} 1');
  });
});

describe("durations", () => {
  it("are counted in the first bucket that they fit in, and in every larger one", () => {
    const durations = new Histogram({ name: "d", type: "histogram", labels: ["x"], help: "h" }, [0.1, 1]);
    for (const ms of [0, 100, 101, 1000, 5000]) durations.at("v").add(ms);
    const values = durations
      .family()
      .samples.map(({ metricName, labels, value }) => [metricName, labels["le"], value]);
    expect(values).toEqual([
      ["d_bucket", 0.1, 2],
      ["d_bucket", 1, 4],
      ["d_bucket", "+Inf", 5],
      ["d_sum", undefined, expect.closeTo(6.201, 6)],
      ["d_count", undefined, 5],
    ]);
  });

  it("of tasks are told once each, over every order of events", () => {
    let nowMs = 0;
    const times = new TaskTimes(() => nowMs);
    times.submitted("a");
    nowMs = 10;
    expect(times.started("a")).toEqual({ state: "waiting", stateMs: 10, waitedMs: 10 });
    nowMs = 15;
    expect(times.returned("a")).toEqual({ state: "scheduled", stateMs: 5, attemptMs: 5 });
    expect(times.returned("a")).toEqual({ state: "waiting", stateMs: 0, attemptMs: undefined });
    nowMs = 40;
    expect(times.started("a")).toEqual({ state: "waiting", stateMs: 25, waitedMs: undefined });
    nowMs = 60;
    expect(times.running("a")).toEqual({ state: "scheduled", stateMs: 20 });
    nowMs = 100;
    expect(times.ended("a")).toEqual({ state: "running", stateMs: 40, attemptMs: 60, taskMs: 100 });
    expect(times.ended("a")).toBeUndefined();
    // Begun before it was told that it was accepted, and a task of another process.
    expect(times.started("b")).toEqual({ state: "waiting", stateMs: undefined, waitedMs: undefined });
    times.submitted("b");
    nowMs = 130;
    expect(times.ended("b")).toEqual({ state: "scheduled", stateMs: 30, attemptMs: 30, taskMs: 30 });
    times.started("c");
    expect(times.ended("c")).toEqual({ state: "scheduled", stateMs: 0, attemptMs: 0, taskMs: undefined });
  });

  it("of the oldest of very many tasks are given up", () => {
    const times = new TaskTimes(() => 1);
    for (let i = 0; i <= 50_000; i += 1) times.submitted(`id-${i}`);
    expect(times.started("id-0").waitedMs).toBeUndefined();
    expect(times.started("id-50000").waitedMs).toBe(0);
  });
});

describe("the wait of a lane's first task", () => {
  const HOUR_MS = 3_600_000;
  const laneOf = (firstRank: number | undefined) => ({
    lanes: [{ model: "m", waiting: 1, waitingBytes: 1, ...(firstRank !== undefined && { firstRank }) }],
  });

  it.each([0, 5, 10])("is told from its rank, with priority %i and any boost", (priority) => {
    for (const boostMs of [0, HOUR_MS, 1e14]) {
      const heads = new LaneHeads(boostMs);
      const createdAtMs = 1_763_000_000_000;
      const rank = createdAtMs - priority * boostMs;
      // Looked at from time to time, also for longer than a boost.
      for (let waitedMs = 0; waitedMs < 3 * HOUR_MS; waitedMs += HOUR_MS / 2) {
        expect(heads.waits(laneOf(rank), createdAtMs + waitedMs)).toEqual([["m", waitedMs]]);
      }
    }
  });

  it("begins anew with the next task, and is not told where nothing is due", () => {
    const heads = new LaneHeads(HOUR_MS);
    expect(heads.waits(laneOf(0), HOUR_MS * 5 + 1_000)).toEqual([["m", 1_000]]);
    expect(heads.waits(laneOf(HOUR_MS), HOUR_MS * 6 + 2_000)).toEqual([["m", 2_000]]);
    expect(heads.waits(laneOf(undefined), HOUR_MS * 6)).toEqual([]);
    // The store's clock is ahead by a second.
    expect(heads.waits(laneOf(0), -1_000)).toEqual([["m", 0]]);
  });
});

describe("timeLedger", () => {
  it("tells how long each call took, and what became of it", async () => {
    const { gateway } = gatewayWithEvents();
    const own = memoryLedger();
    const ledger = timeLedger({
      ...{ capabilities: own.capabilities, submit: own.submit.bind(own), exchange: own.exchange.bind(own) },
      ...{ amend: own.amend.bind(own), sweep: own.sweep.bind(own), stats: own.stats.bind(own) },
      get: () => Promise.reject(new Error("away")),
      list: (_request, options) =>
        new Promise((_resolve, reject) => {
          options?.signal?.addEventListener("abort", () => reject(new Error("given up")));
        }),
      close: () => own.close(),
    });
    await ledger.sweep({ limit: 1, unserved: [] });
    await expect(ledger.get(["x"])).rejects.toThrow("away");
    await expect(ledger.list({}, { signal: AbortSignal.timeout(20) })).rejects.toThrow("given up");
    const { text } = await createMetrics(gateway, { ledger }).render();
    for (const [operation, outcome] of [
      ["sweep", "ok"],
      ["get", "failed"],
      ["list", "aborted"],
    ]) {
      const labels = `{operation="${operation}",outcome="${outcome}"}`;
      expect(text).toContain(`modelgate_ledger_call_seconds_count${labels} 1`);
    }
    expect(text).toMatch(/call_seconds_bucket\{operation="list",outcome="aborted",le="0.01"\} 0/);
    await ledger.close();
  });
});

describe("createMetrics", () => {
  it("listens until it is closed, and shares one rendering among those who ask together", async () => {
    const { gateway, emit, emitter } = gatewayWithEvents();
    const metrics = createMetrics(gateway);
    const [one, other] = await Promise.all([metrics.render(), metrics.render()]);
    expect(other).toBe(one);
    metrics.close();
    metrics.close();
    expect(emitter.listenerCount("task:submitted")).toBe(0);
    emit("task:submitted", { id: "x", model: "m", operation: "process", priority: 5 });
    expect((await metrics.render()).text).not.toContain('model="m"');
  });

  it("leaves out what a ledger does not tell in time or at all", async () => {
    const { gateway } = gatewayWithEvents();
    const failing = createMetrics(gateway, { ledger: { stats: () => Promise.reject(new Error("away")) } });
    expect((await failing.render()).text).not.toMatch(/^modelgate_tasks_in_progress\{/m);
    const hanging = createMetrics(gateway, { ledger: { stats: () => new Promise(() => {}) } });
    expect((await hanging.render()).text).toContain("# TYPE modelgate_tasks_in_progress gauge");
  });
});
