import type { Gateway, SubmitRequest } from "@modelgate/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type HttpServer, serveHttp } from "../../src/node.ts";
import { type DurableGateway, startDurableGateway } from "../support/durable-gateway.ts";
import { handMadeGateway } from "../support/hand-made-gateway.ts";
import { type ModelServer, startModelServer } from "../support/model-server.ts";
import { fuzz } from "./fuzz-run.ts";

/** Answers as a gateway does whose store has failed in a way that nobody knows. */
const failing = handMadeGateway({
  get: async () => {
    throw new Error("the disk broke");
  },
  list: async () => ({ items: [] }),
});

const adminKey = "the-key-of-the-admins";

describe("requests of every kind, spoilt in every way", () => {
  let model: ModelServer;
  let real: DurableGateway;
  let server: HttpServer;
  const errors: unknown[] = [];

  beforeAll(async () => {
    model = await startModelServer();
    real = await startDurableGateway({ nlp: model.url });
    server = await serveHttp(real.gateway, { port: 0, adminKey, onError: (error) => errors.push(error) });
  });

  afterAll(async () => {
    await server.close({ drainMs: 0 });
    await real.close();
    await model.close();
  });

  it("are answered as they should be, and leave what was accepted", { timeout: 120_000 }, async () => {
    const report = await fuzz({ url: server.url, adminKey, seed: 20_261_121, requests: 300 });
    expect(report.failures.join("\n")).toBe("");
    expect(errors).toEqual([]);
    expect(report.accepted).toBeGreaterThan(30);
    for (const status of [200, 400, 404, 422]) expect(report.statuses.get(status)).toBeGreaterThan(0);
    const { items } = await real.gateway.list({ limit: 1000 });
    const stored = items.filter(({ payload }) => payload.key !== undefined).length;
    expect(stored).toBeGreaterThan(0);
    await expect.poll(async () => (await real.kept()).files).toBe(stored);
  });

  async function fuzzOver(gateway: Gateway): Promise<readonly string[]> {
    const opened = await serveHttp(gateway, { port: 0, adminKey });
    const report = await fuzz({ url: opened.url, adminKey, seed: 1, requests: 120 });
    await opened.close({ drainMs: 0 });
    return report.failures;
  }

  /** The gateway, but for one method. */
  function changed(name: "submit" | "list", method: unknown): Gateway {
    return new Proxy(real.gateway, {
      get: (gateway, key) => {
        if (key === name) return method;
        const value = gateway[key as "get"];
        return typeof value === "function" ? value.bind(gateway) : value;
      },
    });
  }

  it("show a gateway that answers with errors of its own", async () => {
    expect((await fuzzOver(failing)).join("\n")).toMatch(
      /case \d+ of seed 1 \(.*\): status 500[\s\S]*\/health is 501/,
    );
  });

  it("show tasks of which nobody was told", async () => {
    const twice = async (request: SubmitRequest): Promise<unknown> => {
      if (request.payload instanceof Uint8Array) await real.gateway.submit(request);
      return real.gateway.submit(request);
    };
    expect((await fuzzOver(changed("submit", twice))).join("\n")).toMatch(
      /ua=fuzz-\d+-\) is there without an answer/,
    );
  });

  it("show accepted tasks that are not there", async () => {
    const fewer: Gateway["list"] = async (request) => {
      const page = await real.gateway.list(request);
      return { ...page, items: page.items.slice(1) };
    };
    expect((await fuzzOver(changed("list", fewer))).join("\n")).toMatch(/was accepted and is not there/);
  });
});
