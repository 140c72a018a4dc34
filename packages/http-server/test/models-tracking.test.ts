import { setTimeout as sleep } from "node:timers/promises";
import {
  type Gateway,
  GatewayError,
  type ModelStatus,
  type ServerAnswer,
  type Tracking,
} from "@modelgate/core";
import { memoryTracking } from "@modelgate/core/memory";
import { afterEach, describe, expect, it } from "vitest";
import type { HttpOptions } from "../src/index.ts";
import { DeploymentsDouble, ready } from "./support/deployments-double.ts";
import { handMadeGateway } from "./support/hand-made-gateway.ts";
import { HOSTS } from "./support/hosts.ts";
import { call } from "./support/http-client.ts";

const METADATA = {
  ...{ uuid: "u-1", runId: "run-9", artifactPath: "model" },
  ...{ createdAt: "2026-01-02 03:04:05.000006", trackerVersion: "2.22.1" },
  flavors: { python_function: { env: { conda: "conda.yaml" } } },
};
const SHOWN = {
  ...{ uuid: "u-1", run_id: "run-9", artifact_path: "model", signature: {}, flavors: METADATA.flavors },
  ...{ utc_time_created: "2026-01-02 03:04:05.000006", mlflow_version: "2.22.1" },
};
const SAID = { model_type: "said", model_description: "of itself" };

/** A server of somebody else, with what its container's labels and networks say. */
function labelled(name: string, details: Record<string, string> = {}): ModelStatus {
  const server = {
    id: `s-${name}`,
    state: "ready",
    protocol: "cms",
    limit: 8,
    inFlight: 0,
    isPaused: false,
  } as const;
  return { name, isRunning: true, servers: [{ ...server, details }] };
}

function infoAnswer(info: unknown = SAID): ServerAnswer {
  const text = Buffer.from(JSON.stringify(info));
  return {
    sizeBytes: text.byteLength,
    body: (async function* () {
      yield text;
    })(),
  };
}

describe.each(HOSTS)("what the tracker knows of models over $host", ({ open }) => {
  const closers: (() => Promise<unknown>)[] = [];
  const double = (): DeploymentsDouble => new DeploymentsDouble();

  async function opened(options: HttpOptions, parts: Partial<Gateway>): Promise<string> {
    const host = await open(handMadeGateway({ info: async () => infoAnswer(), ...parts }), options);
    closers.push(host.close);
    return host.url;
  }

  /** A tracker of which some calls are the test's. */
  function tracker(parts: Partial<Tracking>): Tracking {
    return { ...memoryTracking(), ...parts };
  }

  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  it("is shown beside what their servers say, and says of what type they are", async () => {
    const tracking = memoryTracking();
    tracking.set({ uri: "models:/umls/3", type: "medcat_umls" }, METADATA);
    const url = await opened(
      { tracking },
      { models: () => [labelled("a", { uri: "models:/umls/3" }), labelled("b")] },
    );
    const { json } = await call(url, "/models/?verbose=true");
    expect(json.running).toEqual([
      {
        ...{ name: "a", uri: "models:/umls/3", is_running: true, description: "of itself" },
        ...{ model_type: "medcat_umls", deployment_type: "static", runtime: SAID, tracking: SHOWN },
      },
      {
        ...{ name: "b", is_running: true, description: "of itself", model_type: "said" },
        ...{ deployment_type: "static", runtime: SAID },
      },
    ]);
    expect((await call(url, "/models/a?verbose=yes")).json).toEqual(json.running[0]);
    expect((await call(url, "/models/a")).json).toEqual({
      name: "a",
      uri: "models:/umls/3",
      is_running: true,
    });
  });

  it("leaves out what was not written down, but for the signature", async () => {
    const tracking = memoryTracking();
    tracking.set({ uri: "u" }, { runId: "r", signature: { inputs: "[]" } });
    tracking.set({ uri: "v", type: "t" });
    const url = await opened(
      { tracking },
      { models: () => [labelled("a", { uri: "u" }), labelled("b", { uri: "v" })] },
    );
    const { running } = (await call(url, "/models/?verbose=true")).json;
    expect(running[0].tracking).toEqual({ run_id: "r", signature: { inputs: "[]" } });
    expect(running[1]).not.toHaveProperty("tracking");
    expect([running[0].model_type, running[1].model_type]).toEqual(["said", "t"]);
  });

  it("is shown of models on demand, and with what is configured of those that run", async () => {
    const tracking = memoryTracking();
    tracking.set({ uri: "u", type: "tracked" }, METADATA);
    const deployments = double();
    const demands = { limits: { memoryBytes: 4 * 1024 ** 3 } };
    const deploy = { resources: { limits: { memory: "4g" } } };
    await deployments.configurations.create({
      model: "a",
      modelUri: "u",
      description: "configured",
      demands,
    });
    const running: ModelStatus[] = [];
    const url = await opened({ tracking }, { deployments, models: () => running });
    const waits = await call(url, "/models/a?verbose=true");
    const common = {
      description: "configured",
      model_type: "tracked",
      deployment_type: "auto",
      deploy,
      tracking: SHOWN,
    };
    expect(waits.json).toEqual({ name: "a", uri: "u", is_running: false, idle_ttl: 3_600, ...common });
    deployments.onDeploy = () => ready;
    deployments.add({ model: "a", kind: "auto", modelUri: "u", modelType: "older" });
    running.push(labelled("a"));
    const runs = await call(url, "/models/a?verbose=true");
    expect(runs.json).toEqual({ name: "a", uri: "u", is_running: true, runtime: SAID, ...common });
  });

  it("says of a server that somebody else deployed what its labels say", async () => {
    const url = await opened(
      {},
      { models: () => [labelled("a", { deployment: "auto" }), labelled("b", { deployment: "odd" })] },
    );
    const { running } = (await call(url, "/models/?verbose=true")).json;
    expect(running.map((each: { deployment_type: string }) => each.deployment_type)).toEqual([
      "auto",
      "static",
    ]);
  });

  it("comes within its limit for 50 models whose tracker hangs and whose servers do not", async () => {
    const errors: unknown[] = [];
    let asked = 0;
    const hang = async (): Promise<never> => {
      asked += 1;
      await sleep(30_000, undefined, { ref: false });
      throw new Error("never");
    };
    const options = {
      trackingTimeoutMs: 600,
      infoTimeoutMs: 500,
      onError: (error: unknown) => errors.push(error),
    };
    const models = Array.from({ length: 50 }, (_, n) => labelled(`m${n}`, { uri: `models:/m/${n}` }));
    const url = await opened(
      { ...options, tracking: tracker({ find: hang, describe: hang }) },
      { models: () => models },
    );
    const begun = performance.now();
    const answer = await call(url, "/models/?verbose=true");
    const tookMs = performance.now() - begun;
    expect(answer.status).toBe(200);
    expect(tookMs).toBeGreaterThanOrEqual(590);
    expect(tookMs).toBeLessThan(4_000);
    expect(answer.json.running).toHaveLength(50);
    for (const each of answer.json.running) expect(each).toMatchObject({ runtime: SAID, model_type: "said" });
    // Two calls for each model that had its turn, a few at a time, and none for those that had it too late.
    expect(asked).toBeGreaterThanOrEqual(2 * 16);
    expect(asked).toBeLessThan(2 * 40);
    expect(errors).toMatchObject([
      { code: "TRACKING_UNAVAILABLE", message: expect.stringContaining("trackingTimeoutMs") },
    ]);
  });

  it("comes as far as it is known: the type without the rest, and the rest without the type", async () => {
    const known = memoryTracking();
    known.set({ uri: "u", type: "tracked" }, METADATA);
    const hang = (): Promise<never> => new Promise(() => {});
    for (const [parts, shown] of [
      [{ describe: hang }, { model_type: "tracked" }],
      [{ find: hang }, { model_type: "said", tracking: SHOWN }],
    ] as const) {
      const tracking = { ...known, ...parts };
      const url = await opened(
        { tracking, trackingTimeoutMs: 100 },
        { models: () => [labelled("a", { uri: "u" })] },
      );
      const { json } = await call(url, "/models/a?verbose=true");
      expect(json).toMatchObject(shown);
      expect("tracking" in json).toBe("tracking" in shown);
    }
  });

  it("is left out, once told of, and asked for again later when the tracker fails in whatever way", async () => {
    const password = new GatewayError(
      "TRACKING_UNAVAILABLE",
      "the tracker refuses; see username and password",
    );
    for (const failing of [
      async () => Promise.reject(password),
      () => {
        throw new TypeError("a broken adapter");
      },
      async () => ({ signature: { n: 1n } }),
    ]) {
      const errors: unknown[] = [];
      const describe = failing as unknown as Tracking["describe"];
      const models = [labelled("a", { uri: "u" }), labelled("b", { uri: "v" }), labelled("c")];
      const url = await opened(
        { tracking: tracker({ describe }), onError: (error) => errors.push(error) },
        { models: () => models },
      );
      const answer = await call(url, "/models/?verbose=true");
      expect(answer.status).toBe(200);
      for (const each of answer.json.running) {
        expect(each).toMatchObject({ model_type: "said" });
        expect(each).not.toHaveProperty("tracking");
      }
      expect(errors).toMatchObject([{ code: "TRACKING_UNAVAILABLE" }]);
    }
  });

  it("is asked for once in a while, and not at all of a tracker that cannot tell", async () => {
    const asked: string[] = [];
    const known = memoryTracking([{ uri: "u", type: "tracked" }]);
    const tracking: Tracking = {
      ...known,
      capabilities: { ...known.capabilities, describes: false },
      find: async (uri, options) => {
        asked.push(uri);
        return await known.find(uri, options);
      },
      describe: async () => {
        throw new GatewayError("UNSUPPORTED", "it cannot");
      },
    };
    const errors: unknown[] = [];
    const models = [
      labelled("a", { uri: "u" }),
      labelled("b", { uri: "u" }),
      labelled("c", { uri: "unknown" }),
    ];
    const url = await opened({ tracking, onError: (error) => errors.push(error) }, { models: () => models });
    await Promise.all([1, 2, 3].map(() => call(url, "/models/?verbose=true")));
    expect((await call(url, "/models/b?verbose=true")).json.model_type).toBe("tracked");
    expect(asked).toEqual(["u", "unknown"]);
    expect(errors).toEqual([]);
  });

  it("does not hold up a list that is not verbose", async () => {
    const tracking = tracker({ find: () => new Promise(() => {}), describe: () => new Promise(() => {}) });
    const url = await opened({ tracking }, { models: () => [labelled("a", { uri: "u" })] });
    const begun = performance.now();
    expect((await call(url, "/models/")).json.running).toEqual([{ name: "a", uri: "u", is_running: true }]);
    expect(performance.now() - begun).toBeLessThan(1_500);
  });

  it("is found by the address of a container, too", async () => {
    const submitted: string[] = [];
    const deploy = (...addresses: string[]) => ({ addresses: addresses.join(" ") });
    const url = await opened(
      {},
      {
        models: () => [labelled("a", deploy("172.18.0.4")), labelled("b", deploy("10.0.0.2", "fd00::7"))],
        info: async (model) => infoAnswer({ asked: model }),
        submit: (async ({ model }: { readonly model: string }) => {
          submitted.push(model);
          throw new GatewayError("QUEUE_FULL", "not part of this test");
        }) as unknown as Gateway["submit"],
      },
    );
    expect((await call(url, "/models/172.18.0.4")).json).toEqual({ name: "a", is_running: true });
    expect((await call(url, "/models/fd00::7/?verbose=1")).json.name).toBe("b");
    expect((await call(url, "/models/10.0.0.2/info")).json).toEqual({ asked: "b" });
    const headers = { "content-type": "text/plain" };
    await call(url, "/models/10.0.0.2/tasks/process", { method: "POST", headers, body: "text" });
    expect(submitted).toEqual(["b"]);
    expect((await call(url, "/models/10.0.0.3")).json.detail).toContain("Model '10.0.0.3' not found");
  });
});
