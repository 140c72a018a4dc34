import type { Tracking } from "@modelgate/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { requireService } from "../../adapters-storage/test/support/services.ts";
import { mlflowTracking } from "../src/mlflow-tracking.ts";
import type { MlflowTrackingOptions } from "../src/options.ts";
import { Between, type Disturbance } from "./support/between.ts";
import { MlflowServer } from "./support/mlflow-server.ts";

const url = requireService("MLFLOW_URL") ?? "";
const SECRET = "do-not-tell-anybody";
const html = "<!doctype html><title>Sign in</title><p>patient notes of somebody</p>";

describe.skipIf(url === "")("a real MLflow behind something that disturbs", () => {
  let between: Between;
  let tracking: Tracking;
  let runId: string;

  beforeEach(async () => {
    between = await Between.open(url);
    runId = await new MlflowServer(url).run({ experiment: "0" });
    tracking = open();
  });
  afterEach(async () => {
    await tracking.close();
    await between.cut();
  });

  function open(options: Partial<MlflowTrackingOptions> = {}): Tracking {
    return mlflowTracking({ url: between.url, timeoutMs: 4000, ...options });
  }

  /** Every call rejects with an error of ours that names the option, and says nothing of what was answered. */
  async function expectUnavailable(field: string, words: RegExp, ...others: Tracking[]): Promise<void> {
    for (const each of [tracking, ...others]) {
      const calls = [
        () => each.run(runId),
        () => each.findRuns({ name: "a" }),
        () => each.resolve(runId),
        () => each.find(`runs:/${runId}/model`),
        () => each.describe(`models:/m-${runId}`),
      ];
      for (const call of calls) {
        const error = await call().then(
          () => undefined,
          (reason: unknown) => reason,
        );
        expect(error).toMatchObject({ code: "TRACKING_UNAVAILABLE", details: { field } });
        expect((error as Error).message).toMatch(words);
        expect(JSON.stringify(error) + String((error as Error).stack)).not.toMatch(
          /patient|do-not|127\.0\.0\.1:/,
        );
        expect((error as Error).cause).toBeUndefined();
      }
    }
  }

  const answer =
    (status: number, body: string, headers: Readonly<Record<string, string>> = {}): Disturbance =>
    (_request, response) => {
      response.writeHead(status, { "content-type": "text/html", ...headers }).end(body);
      return "done";
    };

  it("asks with the user and the password, and names them when they are refused", async () => {
    const expected = `Basic ${Buffer.from("ärztin:pass:word").toString("base64")}`;
    between.disturb = (request, response) => {
      if (request.headers.authorization === expected) return "passed";
      return answer(401, html, { "www-authenticate": "Basic" })(request, response);
    };
    const good = open({ username: "ärztin", password: "pass:word" });
    expect((await good.run(runId))?.id).toBe(runId);
    await good.close();
    await expectUnavailable("username", /wants credentials; give username and password, or token/);
    tracking = open({ username: "ärztin", password: SECRET });
    await expectUnavailable("username", /refused the credentials; check username and password$/);
    expect(between.paths.join()).not.toContain(SECRET);
  });

  it("asks with the token, and names it when it may not read", async () => {
    between.disturb = (request, response) => {
      if (request.headers.authorization === "Bearer good.token") return "passed";
      return answer(403, "Permission denied for patient notes")(request, response);
    };
    const good = open({ token: "good.token" });
    expect((await good.run(runId))?.id).toBe(runId);
    await good.close();
    tracking = open({ token: SECRET });
    await expectUnavailable("token", /does not let these credentials read; check token/);
  });

  it.each([
    ["a page of its own with 200", answer(200, html)],
    ["JSON that is no object", answer(200, "[1]", { "content-type": "application/json" })],
    ["an error page with 404, as below another path", answer(404, html)],
  ])("takes %s for no MLflow", async (_what, disturb) => {
    between.disturb = disturb;
    await expectUnavailable("url", /not the API of MLflow; check url/);
  });

  it.each([500, 502, 503, 429, 400])("tells of a proxy's %d, and does not try again", async (status) => {
    between.disturb = answer(status, html);
    await expectUnavailable("url", new RegExp(`answered ${status}`));
    expect(between.paths.length).toBe(5);
  });

  it("takes no credentials to where it is led", async () => {
    const asked: (string | undefined)[] = [];
    const elsewhere = await Between.open(url);
    elsewhere.disturb = (request) => {
      asked.push(request.headers.authorization);
      return "passed";
    };
    between.disturb = (request, response) =>
      answer(302, "", { location: `${elsewhere.url}${request.url}` })(request, response);
    tracking = open({ token: SECRET });
    await expectUnavailable("url", /leads to another address/);
    expect(asked).toEqual([]);
    // On the same server it follows, but not for ever.
    between.disturb = (request, response) => {
      if (request.url?.startsWith("/moved/")) {
        request.url = request.url.slice("/moved".length);
        return "passed";
      }
      return answer(307, "", { location: `/moved${request.url}` })(request, response);
    };
    expect((await tracking.run(runId))?.id).toBe(runId);
    between.disturb = (request, response) =>
      answer(307, "", { location: request.url ?? "" })(request, response);
    await expect(tracking.run(runId)).rejects.toMatchObject({ details: { reason: "elsewhere" } });
    await elsewhere.cut();
  });

  it("reads no more of an answer than anybody could have meant", async () => {
    let sentBytes = 0;
    between.disturb = (_request, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      const send = (): void => {
        const chunk = Buffer.alloc(64 * 1024, 32);
        while (!response.destroyed && sentBytes < 64 * 1024 * 1024) {
          sentBytes += chunk.byteLength;
          if (!response.write(chunk)) return void response.once("drain", send);
        }
        response.end();
      };
      send();
      return "done";
    };
    await expect(tracking.run(runId)).rejects.toMatchObject({ details: { reason: "size" } });
    expect(sentBytes).toBeLessThan(24 * 1024 * 1024);
  });

  it("ends within its time limit, whether no answer comes or no end of it", async () => {
    tracking = open({ timeoutMs: 150 });
    for (const begin of [false, true]) {
      between.disturb = (_request, response) => {
        if (begin) response.writeHead(200, { "content-type": "application/json" }).write('{"run":');
        return "done";
      };
      const begunAt = performance.now();
      const error = await tracking.run(runId).catch((reason: unknown) => reason);
      expect(error).toMatchObject({
        code: "TRACKING_UNAVAILABLE",
        details: { reason: "timeout", field: "url" },
      });
      expect((error as Error).message).toMatch(/within 150 ms; check url, or raise timeoutMs/);
      expect(performance.now() - begunAt).toBeLessThan(1500);
      await tracking.close();
      tracking = open({ timeoutMs: 150 });
    }
  });

  it("asks at most eight things at once, and after a time-out lets fifty questions wait for one", async () => {
    between.disturb = async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return "passed" as const;
    };
    await Promise.all(Array.from({ length: 40 }, () => tracking.run(runId)));
    expect(between.most).toBeLessThanOrEqual(8);
    expect(between.most).toBeGreaterThan(4);

    tracking = open({ timeoutMs: 300 });
    between.disturb = () => "done";
    const asked = between.paths.length;
    const begunAt = performance.now();
    for (let at = 0; at < 50; at += 1) {
      await expect(tracking.find(`models:/m${at}/1`)).rejects.toMatchObject({ code: "TRACKING_UNAVAILABLE" });
    }
    expect(performance.now() - begunAt).toBeLessThan(2000);
    expect(between.paths.length - asked).toBeLessThan(4);
    between.disturb = () => "passed";
    await expect
      .poll(() => tracking.run(runId).catch(() => undefined), { timeout: 5000 })
      .toMatchObject({ id: runId });
  });

  it("goes on when a connection that was kept breaks", async () => {
    await tracking.run(runId);
    let isBroken = false;
    between.disturb = (request) => {
      if (isBroken) return "passed";
      isBroken = true;
      request.socket.destroy();
      return "done";
    };
    expect((await tracking.run(runId))?.id).toBe(runId);
    expect(isBroken).toBe(true);
  });

  it("asks equal questions about a model once, and remembers answers but no failures", async () => {
    const server = new MlflowServer(url);
    const root = await server.rootOf(runId);
    await server.write(root, "model/MLmodel", "model_uuid: u\n");
    const uri = `runs:/${runId}/model`;
    between.disturb = answer(503, html);
    await expect(tracking.describe(uri)).rejects.toMatchObject({ code: "TRACKING_UNAVAILABLE" });
    between.disturb = () => "passed";
    between.paths.length = 0;
    const told = await Promise.all(Array.from({ length: 20 }, () => tracking.describe(uri)));
    expect(new Set(told.map((each) => each?.uuid))).toEqual(new Set(["u"]));
    const once = between.paths.length;
    expect(once).toBeLessThan(5);
    await tracking.describe(uri);
    expect(between.paths.length).toBe(once);
    tracking = open({ cacheMs: 0 });
    await tracking.describe(uri);
    await tracking.describe(uri);
    expect(between.paths.length).toBe(3 * once);
  });

  it("stops asking when nobody wants the answer, and when it is closed", async () => {
    const ended: Promise<unknown>[] = [];
    between.disturb = (_request, response) => {
      ended.push(new Promise((resolve) => response.once("close", resolve)));
      return "done";
    };
    const controller = new AbortController();
    const reason = new Error("the caller's own");
    const one = tracking.find("models:/a/1", { signal: controller.signal });
    const other = tracking.find("models:/a/1");
    await expect.poll(() => ended.length).toBe(1);
    controller.abort(reason);
    await expect(one).rejects.toBe(reason);
    const alone = new AbortController();
    const left = tracking.findRuns({ name: "a" }, { signal: alone.signal });
    await expect.poll(() => ended.length).toBe(2);
    alone.abort(reason);
    await expect(left).rejects.toBe(reason);
    await ended[1];
    const begun = tracking.run(runId);
    await expect.poll(() => ended.length).toBe(3);
    await tracking.close();
    for (const call of [other, begun]) await expect(call).rejects.toMatchObject({ code: "CLOSED" });
    await Promise.all(ended);
  });

  it("asks no proxy of the environment", async () => {
    const before = { ...process.env };
    Object.assign(process.env, {
      HTTP_PROXY: "http://127.0.0.1:9",
      http_proxy: "http://127.0.0.1:9",
      NO_PROXY: "",
    });
    try {
      expect((await open().run(runId))?.id).toBe(runId);
    } finally {
      process.env = before;
    }
  });
});
