import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { mlflowTracking } from "@modelgate/adapters-mlflow";
import type { ModelStatus, ServerAnswer } from "@modelgate/core";
import { afterEach, describe, expect, it } from "vitest";
import { requireService } from "../../adapters-storage/test/support/services.ts";
import { createHttpHandler } from "../src/index.ts";
import { handMadeGateway } from "./support/hand-made-gateway.ts";
import { createTrackedRun } from "./upstream/tracked-run.ts";

const mlflow = requireService("MLFLOW_URL") ?? "";
const MODELS = 20;
const LIMIT_MS = 500;

function running(name: string, uri: string): ModelStatus {
  const server = {
    id: name,
    state: "ready",
    protocol: "cms",
    limit: 8,
    inFlight: 0,
    isPaused: false,
  } as const;
  return { name, isRunning: true, servers: [{ ...server, details: { uri } }] };
}

async function info(): Promise<ServerAnswer> {
  return {
    body: (async function* () {
      yield Buffer.from('{"model_type":"said"}');
    })(),
  };
}

describe("a verbose list of models", () => {
  const closers: (() => unknown)[] = [];

  /** Something at an address where an MLflow should be. */
  async function listening(listener: RequestListener): Promise<string> {
    const server = createServer(listener);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    closers.push(() => {
      server.closeAllConnections();
      server.close();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async function listed(
    url: string,
    uris: readonly string[],
  ): Promise<{ answer: Response; errors: Error[]; tookMs: number }> {
    const errors: Error[] = [];
    const tracking = mlflowTracking({ url, username: "reader", password: "of-this-test" });
    closers.push(() => tracking.close());
    const models = uris.map((uri, n) => running(`m${n}`, uri));
    const onError = (error: unknown): void => void errors.push(error as Error);
    const { fetch } = createHttpHandler(handMadeGateway({ models: () => models, info }), {
      ...{ tracking, trackingTimeoutMs: LIMIT_MS, onError },
    });
    const begun = performance.now();
    const answer = await fetch(new Request("http://gateway/models/?verbose=true"));
    return { answer, errors, tookMs: performance.now() - begun };
  }

  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  it.each<readonly [string, RequestListener | undefined, RegExp]>([
    ["is stopped", undefined, /url/],
    [
      "takes 30 seconds",
      (_, response) => void setTimeout(() => response.end("{}"), 30_000).unref(),
      /trackingTimeoutMs/,
    ],
    [
      "answers with a page",
      (_, response) =>
        void response.writeHead(200, { "content-type": "text/html" }).end("<html>not me</html>"),
      /url/,
    ],
    ["refuses the password", (_, response) => void response.writeHead(401).end("no"), /password/],
    [
      "leads to a page for logging in",
      (_, response) => void response.writeHead(302, { location: "http://127.0.0.1:9/login" }).end(),
      /url/,
    ],
  ])("comes with what is known, within its limit, when MLflow %s", async (_, listener, setting) => {
    const url = listener === undefined ? "http://127.0.0.1:1" : await listening(listener);
    const uris = Array.from({ length: MODELS }, (__, n) => `models:/m/${n}`);
    const { answer, errors, tookMs } = await listed(url, uris);
    expect(answer.status).toBe(200);
    expect(tookMs).toBeLessThan(LIMIT_MS + 1_000);
    const { running: shown } = (await answer.json()) as { running: object[] };
    expect(shown).toHaveLength(MODELS);
    for (const each of shown) {
      expect(each).toMatchObject({ model_type: "said", runtime: { model_type: "said" } });
      expect(each).not.toHaveProperty("tracking");
    }
    expect(errors).toHaveLength(1);
    expect(errors[0]?.message).toMatch(setting);
    expect(errors[0]?.message).not.toMatch(/not me|of-this-test/);
  });

  it.skipIf(mlflow === "")("has what a real MLflow knows, and leaves out what it does not", async () => {
    const { uri } = await createTrackedRun(mlflow);
    const { answer, errors } = await listed(mlflow, [uri, "models:/nobody/7", "file:///elsewhere"]);
    const { running: shown } = (await answer.json()) as { running: { tracking?: object }[] };
    expect(errors).toEqual([]);
    expect(shown[0]?.tracking).toMatchObject({
      uuid: "1",
      artifact_path: "model",
      signature: {},
      flavors: { python_function: {} },
    });
    expect(shown.slice(1).map(({ tracking }) => tracking)).toEqual([undefined, undefined]);
  });
});
