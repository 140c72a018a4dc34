import { describe, expect, it } from "vitest";
import type { ServerDemands } from "../../src/deployments/api.ts";
import {
  checkDescription,
  checkDuration,
  checkModelName,
  checkModelUri,
  checkTrackingId,
} from "../../src/deployments/validate.ts";
import { checkDemands } from "../../src/deployments/validate-demands.ts";
import { checkTtl } from "../../src/deployments/validate-ttl.ts";
import { GatewayError } from "../../src/errors.ts";

function refused(check: () => unknown): Readonly<Record<string, unknown>> {
  try {
    check();
  } catch (error) {
    if (GatewayError.is(error, "INVALID_REQUEST")) return error.details;
    throw error;
  }
  throw new Error("it was not refused");
}

describe("names and texts of deployments", () => {
  it.each(["a", "7", "medcat-umls", "A_b.c-9", "x".repeat(255)])("takes %s as a model's name", (name) => {
    expect(checkModelName(name)).toBe(name);
  });

  it.each(["", ".", "..", "-a", "_a", "a/b", "a b", "größe", "a\n", "a\0", "$(id)", "x".repeat(256)])(
    "refuses %j as a model's name",
    (name) => {
      expect(refused(() => checkModelName(name))).toEqual({ field: "model" });
    },
  );

  it("takes an address byte for byte, but for the white space around it", () => {
    const uri = "s3://a/$(touch x); `id` 'q' \"ü\n\t\\..";
    expect(checkModelUri(`\n ${uri}\t `)).toBe(uri);
    expect(checkModelUri("x".repeat(8_192))).toHaveLength(8_192);
  });

  it.each(["", "  \n", "a\0b", "\ud800", "x".repeat(8_193)])("refuses %j as an address", (uri) => {
    expect(refused(() => checkModelUri(uri))).toEqual({ field: "modelUri" });
  });

  it("names the field of every other text", () => {
    expect(refused(() => checkTrackingId(" "))).toEqual({ field: "trackingId" });
    expect(refused(() => checkTrackingId("\0"))).toEqual({ field: "trackingId" });
    expect(refused(() => checkDescription("\0"))).toEqual({ field: "description" });
    expect(refused(() => checkDescription("x".repeat(16_385)))).toEqual({ field: "description" });
    expect(checkDescription("")).toBe("");
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 1e15])(
    "refuses a duration of %d",
    (durationMs) => {
      expect(refused(() => checkDuration("idleTtlMs", durationMs))).toEqual({
        field: "idleTtlMs",
        rule: "range",
      });
    },
  );
});

describe("a time to live", () => {
  it("is a day, the policy's, or for ever", () => {
    expect(checkTtl(undefined)).toBe(86_400_000);
    expect(checkTtl(undefined, { ttlMs: 5 })).toBe(5);
    expect(checkTtl(undefined, { ttlMs: null })).toBeUndefined();
    expect(checkTtl(7)).toBe(7);
    expect(checkTtl(null)).toBeUndefined();
  });

  it("is never beyond the maximum, the policy's own included", () => {
    const policy = { maxTtlMs: 10 };
    expect(checkTtl(10, policy)).toBe(10);
    expect(checkTtl(undefined, policy)).toBe(10);
    expect(checkTtl(undefined, { ...policy, ttlMs: null })).toBe(10);
    for (const ttlMs of [11, null]) {
      expect(refused(() => checkTtl(ttlMs, policy))).toEqual({
        field: "ttlMs",
        rule: "maximum",
        maxTtlMs: 10,
      });
    }
  });

  it("cannot be chosen where the policy forbids it", () => {
    const policy = { allowsTtl: false, ttlMs: 5 };
    expect(checkTtl(undefined, policy)).toBe(5);
    for (const ttlMs of [5, null, 0]) {
      expect(refused(() => checkTtl(ttlMs, policy))).toEqual({ field: "ttlMs", rule: "not-allowed" });
    }
  });

  it.each([0, -1, -2, 0.5])("is not %d", (ttlMs) => {
    expect(refused(() => checkTtl(ttlMs))).toEqual({ field: "ttlMs", rule: "range" });
  });
});

describe("demands on a server", () => {
  it("are kept as far as they say something", () => {
    const demands: ServerDemands = {
      limits: { memoryBytes: 4, cpus: 0.5, gpus: 1 },
      reservations: { memoryBytes: 4, cpus: 0.25 },
      gpus: ["GPU-1", "0"],
    };
    expect(checkDemands(demands)).toEqual(demands);
    expect(checkDemands({ gpus: "all" })).toEqual({ gpus: "all" });
    expect(checkDemands({ gpus: 0 })).toEqual({ gpus: 0 });
    expect(checkDemands({})).toBeUndefined();
    expect(checkDemands({ limits: {}, reservations: undefined })).toBeUndefined();
  });

  it.each<readonly [string, ServerDemands]>([
    ["demands.limits.memoryBytes", { limits: { memoryBytes: 0 } }],
    ["demands.limits.memoryBytes", { limits: { memoryBytes: 1.5 } }],
    ["demands.limits.cpus", { limits: { cpus: 0 } }],
    ["demands.limits.cpus", { limits: { cpus: Number.NaN } }],
    ["demands.reservations.cpus", { reservations: { cpus: Number.POSITIVE_INFINITY } }],
    ["demands.limits.gpus", { limits: { gpus: -1 } }],
    ["demands.reservations.memoryBytes", { limits: { memoryBytes: 1 }, reservations: { memoryBytes: 2 } }],
    ["demands.gpus", { gpus: 0.5 }],
    ["demands.gpus", { gpus: [] }],
    ["demands.gpus[1]", { gpus: ["0", "a b"] }],
  ])("names %s", (field, demands) => {
    expect(refused(() => checkDemands(demands))).toEqual({ field });
  });
});
