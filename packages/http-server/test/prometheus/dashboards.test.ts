import { execFile } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { createMetrics, type Metrics } from "../../src/index.ts";
import { serveHttp } from "../../src/node.ts";
import { DeploymentsDouble } from "../support/deployments-double.ts";
import { call } from "../support/http-client.ts";
import { type ModelServer, startModelServer } from "../support/model-server.ts";
import { type RealGateway, startGateway } from "../support/real-gateway.ts";
import { startWatchedGateway, type WatchedGateway } from "./watched-gateway.ts";
import { metricsIn, queriesOf, readAlerts, readDashboards, readRuleTests } from "./watched-queries.ts";

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

const folder = fileURLToPath(new URL("../../../../deploy/prometheus/", import.meta.url));
const dashboards = readDashboards();
const alerts = readAlerts();

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

describe("the dashboards for Grafana", () => {
  it("are two, whose panels have a place, a data source to choose and a number of their own", () => {
    expect(dashboards.map(({ uid }) => uid).sort()).toEqual(["modelgate-models", "modelgate-overview"]);
    for (const { file, panels, templating } of dashboards) {
      expect(templating.list[0], file).toMatchObject({ name: "datasource", type: "datasource" });
      expect(new Set(panels.map(({ id }) => id)).size, file).toBe(panels.length);
      const taken = new Set<string>();
      for (const { title, type, datasource, targets: queries = [], gridPos } of panels) {
        const where = `${file}: ${title}`;
        expect(queries.length > 0, where).toBe(type !== "row");
        const sources = [
          ...(type === "row" ? [] : [datasource]),
          ...queries.map((query) => query.datasource),
        ];
        for (const source of sources) expect(source?.uid, where).toMatch(/^\$\{datasource\}$/);
        expect(gridPos.x + gridPos.w, where).toBeLessThanOrEqual(24);
        for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
          for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
            expect(taken.has(`${x} ${y}`), `${where} lies on another panel`).toBe(false);
            taken.add(`${x} ${y}`);
          }
        }
      }
    }
  });
});

describe("the alert rules", () => {
  it("have a test each, in which they are silent, fire and clear", () => {
    const tests = readRuleTests();
    expect(tests.map(({ name }) => name)).toEqual(alerts.map(({ alert }) => alert));
    for (const { name, promql_expr_test: looks } of tests) {
      expect(
        looks.map(({ exp_samples: samples }) => samples.length),
        name,
      ).toEqual([0, 1, 0]);
      for (const { expr } of looks) {
        expect(expr).toBe(`count(ALERTS{alertname="${name}", alertstate="firing"})`);
      }
    }
  });

  it("have a section each in the guide, and a severity", () => {
    const guide = readFileSync(
      new URL("../../../../docs/how-to/watch-in-production.md", import.meta.url),
      "utf8",
    );
    const sections = guide.split("\n").flatMap((line) => /^### (Modelgate\w+)$/.exec(line)?.[1] ?? []);
    expect(sections).toEqual(alerts.map(({ alert }) => alert));
    for (const { alert, labels, annotations } of alerts) {
      expect(annotations.runbook).toBe(`docs/how-to/watch-in-production.md#${alert.toLowerCase()}`);
      expect(["critical", "warning"]).toContain(labels.severity);
    }
  });
});

/** After those of CogStack's gateway, whose queries would find what this one does, too. */
describe.skipIf(url === "" || targets === "")("with a running Prometheus", () => {
  let gateway: WatchedGateway;
  let checked: Promise<unknown>;
  const file = join(targets, `watch-${process.pid}.json`);

  beforeAll(async () => {
    // While Prometheus scrapes.
    const promtool = (...args: string[]) => promisify(execFile)("promtool", args, { cwd: folder });
    checked = Promise.all([
      promtool("check", "config", "prometheus.yml"),
      promtool("test", "rules", "alerts.test.yml"),
    ]);
    checked.catch(() => {});
    gateway = await startWatchedGateway();
    writeFileSync(file, JSON.stringify([{ targets: [`127.0.0.1:${gateway.port}`] }]));
  });

  afterAll(async () => {
    rmSync(file, { force: true });
    await gateway.close();
  });

  interface Answer {
    readonly status: string;
    readonly error?: string;
    readonly data?: { readonly result: readonly { readonly value: readonly [number, string] }[] };
  }

  async function ask(text: string): Promise<Answer> {
    return (await call(url, `/api/v1/query?query=${encodeURIComponent(text)}`)).json;
  }

  it("each query of the dashboards finds figures", { timeout: 30_000 }, async () => {
    let left = dashboards.flatMap(queriesOf);
    expect(left.length).toBeGreaterThan(60);
    await vi.waitFor(
      async () => {
        const answers = await Promise.all(
          left.map(async ([where, text]) => ({ where, text, ...(await ask(text)) })),
        );
        for (const { where, error } of answers) expect(error, where).toBeUndefined();
        const isEmpty = ({ data }: Answer) =>
          !data?.result.some(({ value }) => Number.isFinite(Number(value[1])));
        const empty = answers.filter(isEmpty);
        left = empty.map(({ where, text }) => [where, text]);
        expect(left).toEqual([]);
      },
      { timeout: 20_000, interval: 500 },
    );
  });

  it("each alert can be asked for, and goes by metrics that there are", async () => {
    const { text } = await call(gateway.url, "/metrics");
    const served = new Set([...text.matchAll(/^(\w+)(?:\{| )/gm)].map(([, name]) => name));
    for (const { alert, expr } of alerts) {
      expect(await ask(expr), alert).toMatchObject({ status: "success" });
      for (const name of metricsIn(expr)) expect(served, alert).toContain(name);
    }
  });

  it("the files are what Prometheus takes, and each alert fires and clears", async () => {
    await checked;
  });
});
