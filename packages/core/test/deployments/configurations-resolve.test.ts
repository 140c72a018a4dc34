import { describe, expect, it } from "vitest";
import { resolveModel } from "../../src/deployments/resolve-model.ts";
import { trackingDouble } from "./tracking-double.ts";

const umls = { uri: "models:/umls/3", type: "medcat_umls", runId: "r1" };
const tracking = trackingDouble({ r1: umls, r2: { uri: "models:/plain/1" } });

describe("where a model is", () => {
  it("is its address, of which the tracker may know the type", async () => {
    expect(await resolveModel({ modelUri: " s3://x " }, {})).toEqual({ modelUri: "s3://x" });
    expect(await resolveModel({ modelUri: "s3://x" }, { tracking })).toEqual({ modelUri: "s3://x" });
    expect(await resolveModel({ modelUri: umls.uri }, { tracking })).toEqual({
      modelUri: umls.uri,
      modelType: umls.type,
    });
  });

  it("is what its run made", async () => {
    expect(await resolveModel({ trackingId: "r1" }, { tracking })).toEqual({
      modelUri: umls.uri,
      modelType: umls.type,
      trackingId: "r1",
    });
    expect(await resolveModel({ trackingId: "r2" }, { tracking })).not.toHaveProperty("modelType");
  });

  it("is the address when both are given", async () => {
    const both = { modelUri: "s3://x", trackingId: "nobody-knows" };
    expect(await resolveModel(both, { tracking })).toEqual(both);
  });

  it("has to be known where that is asked for", async () => {
    const options = { tracking, requiresKnownUri: true };
    expect(await resolveModel({ modelUri: umls.uri }, options)).toMatchObject({ modelType: umls.type });
    await expect(resolveModel({ modelUri: "s3://x" }, options)).rejects.toMatchObject({
      code: "TRACKED_MODEL_UNKNOWN",
      details: { field: "modelUri" },
    });
    for (const blind of [undefined, trackingDouble({ r1: umls }, false)]) {
      await expect(
        resolveModel({ modelUri: umls.uri }, { tracking: blind, requiresKnownUri: true }),
      ).rejects.toMatchObject({ code: "UNSUPPORTED" });
    }
  });

  it("is refused where there is none", async () => {
    await expect(resolveModel({}, { tracking })).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      details: { field: "modelUri", rule: "missing" },
    });
    await expect(resolveModel({ trackingId: "r1" }, {})).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      details: { field: "trackingId" },
    });
    await expect(resolveModel({ trackingId: "r9" }, { tracking })).rejects.toMatchObject({
      code: "TRACKED_MODEL_UNKNOWN",
      details: { field: "trackingId" },
    });
  });

  it("is not guessed while the tracker is away", async () => {
    const away = trackingDouble({ r1: umls });
    away.isAway = true;
    for (const source of [{ trackingId: "r1" }, { modelUri: umls.uri }]) {
      await expect(resolveModel(source, { tracking: away })).rejects.toMatchObject({
        code: "TRACKING_UNAVAILABLE",
      });
    }
  });
});
