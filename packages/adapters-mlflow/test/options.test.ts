import { describe, expect, it } from "vitest";
import { mlflowTracking } from "../src/mlflow-tracking.ts";
import type { MlflowTrackingOptions } from "../src/options.ts";

const url = "http://mlflow-ui:5000";
const SECRET = "do-not-tell-anybody";

const wrong: readonly (readonly [field: string, options: object])[] = [
  ["url", {}],
  ["url", { url: "mlflow-ui:5000" }],
  ["url", { url: "ftp://mlflow-ui" }],
  ["url", { url: `http://user:${SECRET}@mlflow-ui` }],
  ["url", { url: `${url}/?token=${SECRET}` }],
  ["publicUrl", { url, publicUrl: "/mlflow" }],
  ["username", { url, password: SECRET }],
  ["username", { url, username: "a:b", password: SECRET }],
  ["password", { url, username: "a" }],
  ["token", { url, token: `${SECRET}\r\nx: y` }],
  ["token", { url, token: "" }],
  ["token", { url, token: SECRET, username: "a", password: "b" }],
  ["timeoutMs", { url, timeoutMs: 0 }],
  ["cacheMs", { url, cacheMs: -1 }],
  ["trackingUri", { url, trackingUri: SECRET }],
];

describe("options", () => {
  it.each(wrong)("name %s when it is wrong, and no secret: %j", (field, options) => {
    let error: unknown;
    try {
      mlflowTracking(options as MlflowTrackingOptions);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: "INVALID_OPTIONS", details: { field } });
    expect(String((error as Error).stack)).not.toContain(SECRET);
  });

  it("that are right open nothing", async () => {
    const tracking = mlflowTracking({ url, username: "a", password: "" });
    await tracking.close();
  });
});
