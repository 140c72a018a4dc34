import type { GatewayEvents } from "@modelgate/core";
import { describe, expect, it } from "vitest";
import { DeploymentMetrics } from "../src/metrics/deployment-metrics.ts";

type Change = Parameters<GatewayEvents["deployment:changed"]>[0];

function watched() {
  let nowMs = 0;
  let listener: ((change: Change) => void) | undefined;
  const events = {
    on: (_: string, given: typeof listener) => {
      listener = given;
    },
    off: () => {
      listener = undefined;
    },
  };
  const metrics = new DeploymentMetrics({ events } as never, () => nowMs);
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
    isListening: () => listener !== undefined,
    tell(generation: string, state: Change["state"], more: Partial<Change> = {}, afterMs = 0) {
      nowMs += afterMs;
      listener?.({ model: "ner", kind: "manual", generation, state, ...more });
    },
    failures: () => samples(0),
    starts: () => samples(1),
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
