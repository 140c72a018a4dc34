import { createGateway, type GatewayEvents } from "@modelgate/core";
import { memoryDiscovery } from "@modelgate/core/memory";
import { describe, expect, it } from "vitest";
import { createHttpHandler, createMetrics } from "../src/index.ts";
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
    expect(times.started("a")).toBe(10);
    nowMs = 15;
    expect(times.returned("a")).toBe(5);
    expect(times.returned("a")).toBeUndefined();
    nowMs = 40;
    expect(times.started("a")).toBeUndefined();
    nowMs = 100;
    expect(times.ended("a")).toEqual({ attemptMs: 60, taskMs: 100 });
    expect(times.ended("a")).toEqual({});
    // Begun before it was told that it was accepted, and a task of another process.
    expect(times.started("b")).toBeUndefined();
    times.submitted("b");
    nowMs = 130;
    expect(times.ended("b")).toEqual({ attemptMs: 30, taskMs: 30 });
    expect(times.started("c")).toBeUndefined();
    expect(times.ended("c")).toEqual({ attemptMs: 0, taskMs: undefined });
  });

  it("of the oldest of very many tasks are given up", () => {
    const times = new TaskTimes(() => 1);
    for (let i = 0; i <= 50_000; i += 1) times.submitted(`id-${i}`);
    expect(times.started("id-0")).toBeUndefined();
    expect(times.started("id-50000")).toBe(0);
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
