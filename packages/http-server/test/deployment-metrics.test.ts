import { EventEmitter } from "node:events";
import type { GatewayEvents } from "@modelgate/core";
import { describe, expect, it } from "vitest";
import { DeploymentMetrics } from "../src/metrics/deployment-metrics.ts";

type Change = Parameters<GatewayEvents["deployment:changed"]>[0];

function watched() {
  let nowMs = 0;
  const emitter = new EventEmitter();
  const metrics = new DeploymentMetrics({ events: emitter } as never, undefined, () => nowMs);
  const samples = (family: number) =>
    Object.fromEntries(
      (metrics.families()[family]?.samples ?? [])
        .filter(({ metricName = "" }) => !metricName.endsWith("_bucket"))
        .map(({ labels, value, metricName }) => [
          [metricName, ...Object.values(labels)].join(" ").trim(),
          value,
        ]),
    );
  return {
    metrics,
    emitter,
    isListening: () => emitter.eventNames().length > 0,
    tell(generation: string, state: Change["state"], more: Partial<Change> = {}, afterMs = 0) {
      nowMs += afterMs;
      emitter.emit("deployment:changed", { model: "ner", kind: "manual", generation, state, ...more });
    },
    failures: () => samples(0),
    starts: () => samples(1),
    deployed: () => samples(2),
    purged: () => samples(3),
    checked: () => samples(4),
    idle: () => samples(5),
  };
}

describe("metrics of deployments", () => {
  it("time a start from its begin, with failed tries and without the wait for room", () => {
    const { tell, starts } = watched();
    tell("a", "waiting");
    tell("a", "deploying", {}, 60_000);
    tell("a", "waiting", { code: "START_FAILED" }, 1_000);
    tell("a", "deploying", {}, 1_000);
    tell("a", "ready", {}, 2_000);
    // Only idle, and needed after all: that is no start.
    tell("a", "draining", {}, 10_000);
    tell("a", "ready", {}, 1_000);
    expect(starts()).toEqual({
      "modelgate_deployment_start_seconds_sum manual": 4,
      "modelgate_deployment_start_seconds_count manual": 1,
    });
  });

  it("leave out a start whose begin was not seen", () => {
    const { tell, starts } = watched();
    tell("a", "ready");
    expect(starts()).toEqual({});
  });

  it("count a deployment that failed once, by a code that is known", () => {
    const { tell, failures } = watched();
    tell("a", "failed", { code: "IMAGE_MISSING" });
    tell("a", "failed", { code: "IMAGE_MISSING" });
    tell("b", "failed", { code: "IMAGE_MISSING", kind: "auto" });
    tell("c", "failed", { code: "OWN_CODE_OF_SOMEBODY" });
    tell("d", "failed");
    tell("e", "waiting", { code: "START_FAILED" });
    expect(failures()).toEqual({
      "manual IMAGE_MISSING": 1,
      "auto IMAGE_MISSING": 1,
      "manual other": 1,
      "manual none": 1,
    });
  });

  it("count what was removed because its time was over, by whoever removed it", () => {
    const { tell, purged, idle } = watched();
    const zero = { "manual fixed_ttl_expired": 0, "auto idle_ttl_expired": 0 };
    expect(purged()).toEqual(zero);
    tell("a", "gone");
    tell("b", "gone", { removed: { why: "removed", idleMs: 1 } });
    tell("c", "gone", { removed: { why: "failed", idleMs: 1 } });
    expect(purged()).toEqual(zero);
    tell("d", "gone", { removed: { why: "expired", idleMs: 1 } });
    tell("e", "gone", { kind: "auto", removed: { why: "idle", idleMs: 90_000 } });
    tell("f", "gone", { kind: "auto", removed: { why: "yield", idleMs: 1 } });
    expect(purged()).toEqual({
      ...{ "manual fixed_ttl_expired": 1, "auto idle_ttl_expired": 1, "auto room_needed": 1 },
    });
    expect(idle()).toEqual({
      "ripper_model_idle_time_seconds_sum ner": 90,
      "ripper_model_idle_time_seconds_count ner": 1,
    });
  });

  it("count how often servers were looked at", () => {
    const { emitter, checked } = watched();
    emitter.emit("deployments:checked", { manual: 2, auto: 0 });
    emitter.emit("deployments:checked", { manual: 2, auto: 1 });
    expect(checked()).toEqual({ manual: 4, auto: 1 });
  });

  it("tell of deployed models where they are, without what may be secret and not without bound", () => {
    const { metrics, deployed } = watched();
    metrics.deployed("ner", "s3://user:secret@bucket/m?X-Amz-Signature=secret#x");
    metrics.deployed("ner", `runs:/${"x".repeat(300)}`);
    metrics.deployed("ner", undefined);
    expect(deployed()).toEqual({ "ner s3://bucket/m": 1, "ner other": 1, ner: 1 });
    for (let i = 0; i < 3000; i += 1) metrics.deployed(`m${i}`, `models:/m/${i}`);
    expect(Object.keys(deployed()).length).toBeLessThan(500);
  });

  it("forget what is gone, and stop listening", () => {
    const { metrics, tell, starts, isListening } = watched();
    tell("a", "deploying");
    tell("a", "gone");
    tell("a", "ready");
    expect(starts()).toEqual({});
    metrics.close();
    expect(isListening()).toBe(false);
  });
});
