import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { createMetrics, type Metrics } from "../../src/index.ts";
import { serveHttp } from "../../src/node.ts";
import { DeploymentsDouble } from "../support/deployments-double.ts";
import { call } from "../support/http-client.ts";
import { type ModelServer, startModelServer } from "../support/model-server.ts";
import { type RealGateway, startGateway } from "../support/real-gateway.ts";

const url = requireService("PROM_URL") ?? "";
const targets = requireService("PROM_TARGETS") ?? "";

/** The queries of all panels of the dashboards of CogStack's gateway, as they stand there. */
const PANELS: readonly (readonly [panel: string, query: string])[] = [
  ["Processed Model Tasks", "sum by(model, task) (gateway_tasks_processed_total)"],
  [
    "Total Requests",
    'sum by(method, endpoint) (gateway_requests_total{endpoint!="/metrics", endpoint!="/metrics/"})',
  ],
  ["Deployed Models", "sum by(model, model_uri) (gateway_models_deployed_total)"],
  ["Containers Purged", "sum(ripper_containers_purged_total)"],
  ["Completed Tasks", "sum by(status) (scheduler_tasks_completed_total)"],
  ["Scheduled Tasks", "sum(scheduler_tasks_scheduled_total)"],
  ["Requeued Tasks", "sum(scheduler_tasks_requeued_total)"],
];

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

async function query(text: string): Promise<readonly Sample[]> {
  const { status, json } = await call(url, `/api/v1/query?query=${encodeURIComponent(text)}`);
  expect(status).toBe(200);
  return json.data.result;
}

describe.skipIf(url === "" || targets === "")("the dashboards of CogStack's gateway", () => {
  let model: ModelServer;
  let real: RealGateway;
  let metrics: Metrics;
  let server: Awaited<ReturnType<typeof serveHttp>>;
  const file = join(targets, `dashboards-${process.pid}.json`);

  beforeAll(async () => {
    model = await startModelServer();
    real = await startGateway({ nlp: model.url });
    const deployments = new DeploymentsDouble();
    const gateway = new Proxy(real.gateway, {
      get(target, name) {
        if (name === "deployments") return deployments;
        const found: unknown = Reflect.get(target, name);
        return typeof found === "function" ? found.bind(target) : found;
      },
    });
    metrics = createMetrics(real.gateway);
    server = await serveHttp(gateway, { port: 0, metrics });
    writeFileSync(file, JSON.stringify([{ targets: [`127.0.0.1:${server.port}`] }]));
    for (let count = 0; count < 3; count += 1) {
      await call(server.url, "/models/nlp/tasks/process", {
        method: "POST",
        headers: { "content-type": "text/plain", prefer: "wait=10" },
        body: "text",
      });
    }
    const deployed = await call(server.url, "/models/umls", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model_uri: "models:/umls/3" }),
    });
    expect(deployed.status).toBe(200);
  });

  afterAll(async () => {
    rmSync(file, { force: true });
    await server.close({ drainMs: 0 });
    metrics.close();
    await real.close();
    await model.close();
  });

  it("find data for each of their panels", { timeout: 30_000 }, async () => {
    const seen = await vi.waitFor(
      async () => {
        const all = await Promise.all(
          PANELS.map(async ([panel, text]) => [panel, await query(text)] as const),
        );
        for (const [panel, samples] of all) expect(samples, panel).not.toEqual([]);
        return new Map(all);
      },
      { timeout: 25_000, interval: 250 },
    );
    const figures = (panel: string): [object, string][] =>
      (seen.get(panel) ?? []).map(({ metric, value }) => [metric, value[1]]);
    expect(figures("Processed Model Tasks")).toEqual([[{ model: "nlp", task: "process" }, "3"]]);
    expect(figures("Deployed Models")).toEqual([[{ model: "umls", model_uri: "models:/umls/3" }, "1"]]);
    expect(figures("Completed Tasks")).toEqual([[{ status: "succeeded" }, "3"]]);
    expect(figures("Scheduled Tasks")).toEqual([[{}, "3"]]);
    expect(figures("Requeued Tasks")).toEqual([[{}, "0"]]);
    expect(figures("Containers Purged")).toEqual([[{}, "0"]]);
    expect(figures("Total Requests")).toContainEqual([
      { endpoint: "/models/{model}/tasks/{task}", method: "POST" },
      "3",
    ]);
  });
});
