import { readFileSync } from "node:fs";
import { memoryLedger } from "@modelgate/core/memory";
import { afterEach, describe, expect, it } from "vitest";
import { createMetrics, type Metrics } from "../src/index.ts";
import { METRICS } from "../src/metrics/metric-table.ts";
import { HOSTS, type OpenHost } from "./support/hosts.ts";
import { call, openSocket } from "./support/http-client.ts";
import { type ModelServer, startModelServer } from "./support/model-server.ts";
import { type RealGateway, startGateway } from "./support/real-gateway.ts";

const page = readFileSync(new URL("../../../docs/reference/metrics.md", import.meta.url), "utf8");

describe("docs/reference/metrics.md", () => {
  it("has the row of each metric, and no other", () => {
    const rows = page
      .split("\n")
      .filter((line) => /^\| `(gateway|scheduler|ripper|modelgate)_\w+` \| \w+ \|/.test(line));
    expect(rows).toEqual(
      Object.values(METRICS).map(({ name, type, labels, help }) => {
        return `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(", ")} | ${help} |`;
      }),
    );
  });
});

describe.each(HOSTS)("metrics over $host", ({ open }) => {
  let model: ModelServer;
  let real: RealGateway;
  let metrics: Metrics;
  let host: OpenHost;

  async function start(basePath = ""): Promise<void> {
    model = await startModelServer();
    const ledger = memoryLedger();
    real = await startGateway({ nlp: model.url }, { ledger });
    metrics = createMetrics(real.gateway, { ledger });
    host = await open(real.gateway, { metrics, basePath });
  }

  afterEach(async () => {
    await host.close();
    metrics.close();
    await real.close();
    await model.close();
  });

  const submit = (body: string, target = "/models/nlp/tasks/process", waitS = 10) =>
    call(host.url, target, {
      method: "POST",
      headers: { "content-type": "text/plain", prefer: `wait=${waitS}` },
      body,
    });

  /** Samples by name and labels. */
  async function scrape(path = "/metrics"): Promise<Map<string, number>> {
    const { status, headers, text } = await call(host.url, path);
    expect(status).toBe(200);
    expect(headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
    const samples = new Map<string, number>();
    for (const line of text.split("\n")) {
      if (line === "" || line.startsWith("#")) continue;
      const at = line.lastIndexOf(" ");
      expect(samples.has(line.slice(0, at)), `${line} comes twice`).toBe(false);
      samples.set(line.slice(0, at), Number(line.slice(at + 1)));
    }
    return samples;
  }

  it("tell what became of tasks and how long that took", async () => {
    await start();
    await submit("a text");
    await submit("another");
    await submit("status:422");
    const samples = await scrape();
    expect(samples.get('gateway_tasks_processed_total{model="nlp",task="process"}')).toBe(3);
    expect(samples.get('scheduler_tasks_scheduled_total{model="nlp",type="process"}')).toBe(3);
    const completed = (rest: string) =>
      samples.get(`scheduler_tasks_completed_total{model="nlp",type="process",${rest}}`);
    expect(completed('status="succeeded",code="none"')).toBe(2);
    expect(completed('status="failed",code="SERVER_REJECTED"')).toBe(1);
    for (const name of ["modelgate_attempt_duration_seconds", "modelgate_task_duration_seconds"]) {
      const label = name.includes("attempt") ? "outcome" : "status";
      expect(samples.get(`${name}_count{model="nlp",operation="process",${label}="succeeded"}`)).toBe(2);
    }
    const causes = (rest: string) => samples.get(`modelgate_attempts_ended_total{model="nlp",${rest}}`);
    expect(causes('outcome="succeeded",code="none"')).toBe(2);
    expect(causes('outcome="failed",code="SERVER_REJECTED"')).toBe(1);
    for (const state of ["waiting", "scheduled"]) {
      const name = `modelgate_task_state_seconds_count{model="nlp",state="${state}"}`;
      expect(samples.get(name), name).toBe(3);
    }
    expect(samples.get('modelgate_task_wait_seconds_count{model="nlp",operation="process"}')).toBe(3);
    expect(samples.get('modelgate_task_wait_seconds_bucket{model="nlp",operation="process",le="+Inf"}')).toBe(
      3,
    );
  });

  it("tell when attempts were handed back, and why", async () => {
    await start();
    expect((await submit("status:503", undefined, 1)).status).toBe(202);
    const samples = await scrape();
    const returned = [...samples].filter(([name]) => name.startsWith("scheduler_tasks_requeued_total"));
    expect(returned.length).toBeGreaterThan(0);
    for (const [name] of returned) expect(name).toContain('counted="false"');
  });

  it("count a client that hung up as no failure of the gateway", async () => {
    await start();
    const socket = await openSocket(host.url);
    const head =
      "POST /models/nlp/tasks/process HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\n";
    socket.write(`${head}half`);
    setTimeout(() => socket.destroy(), 50);
    const endpoint = 'method="POST",endpoint="/models/{model}/tasks/{task}"';
    await expect
      .poll(async () => (await scrape()).get(`gateway_requests_total{${endpoint},status="4xx"}`), {
        timeout: 10_000,
      })
      .toBe(1);
  });

  it("tell of this moment: what waits, servers, slots, parts", async () => {
    await start();
    const slow = Promise.all(Array.from({ length: 9 }, () => submit("delay:1000")));
    await expect
      .poll(async () => (await scrape()).get('modelgate_tasks_in_progress{state="scheduled"}'), {
        timeout: 10_000,
        interval: 20,
      })
      .toBe(8);
    const samples = await scrape("/metrics/");
    expect(samples.get('modelgate_servers{state="ready"}')).toBe(1);
    expect(samples.get('modelgate_servers{state="starting"}')).toBe(0);
    expect(samples.get('modelgate_slots{state="ready"}')).toBe(8);
    expect(samples.get('modelgate_slots_in_use{state="ready"}')).toBe(8);
    expect(samples.get('modelgate_model_slots{model="nlp"}')).toBe(8);
    expect(samples.get('modelgate_model_slots_in_use{model="nlp"}')).toBe(8);
    expect(samples.get('modelgate_tasks_waiting{model="nlp"}')).toBe(1);
    expect(samples.get('modelgate_lane_head_wait_seconds{model="nlp"}')).toBeGreaterThan(0);
    expect(samples.get('modelgate_lane_head_wait_seconds{model="nlp"}')).toBeLessThan(1);
    expect(samples.get('modelgate_model_ready_servers{model="nlp"}')).toBe(1);
    expect(samples.get('modelgate_component_healthy{component="ledger"}')).toBe(1);
    for (const name of [
      "process_cpu_seconds_total",
      "process_resident_memory_bytes",
      "nodejs_eventloop_lag_p99_seconds",
    ]) {
      expect(samples.get(name), name).toEqual(expect.any(Number));
    }
    await slow;
  });

  it("count requests by the pattern of their route, wherever it is mounted", async () => {
    await start("/gate");
    const base = "/gate";
    await submit("a text", `${base}/models/nlp/tasks/process`);
    await call(host.url, `${base}/tasks/4f3c2b1a-secret-id`);
    await call(host.url, `${base}/tasks/another-id/`);
    await call(host.url, `${base}/health`, { method: "HEAD" });
    await call(host.url, `${base}/wp-login.php`);
    await call(host.url, `${base}/health`, { method: "DELETE" });
    await call(host.url, `${base}/health`, { method: "PROPFIND" });
    await scrape(`${base}/metrics`);
    const samples = await scrape(`${base}/metrics`);
    const requests = [...samples].filter(([name]) => name.startsWith("gateway_requests_total"));
    expect(Object.fromEntries(requests)).toEqual({
      'gateway_requests_total{method="POST",endpoint="/models/{model}/tasks/{task}",status="2xx"}': 1,
      'gateway_requests_total{method="GET",endpoint="/tasks/{id}",status="4xx"}': 2,
      'gateway_requests_total{method="HEAD",endpoint="/health",status="2xx"}': 1,
      'gateway_requests_total{method="GET",endpoint="other",status="4xx"}': 1,
      'gateway_requests_total{method="DELETE",endpoint="other",status="4xx"}': 1,
      'gateway_requests_total{method="other",endpoint="other",status="4xx"}': 1,
      'gateway_requests_total{method="GET",endpoint="/metrics",status="2xx"}': 1,
    });
    expect(samples.get('gateway_request_duration_seconds_count{method="GET",endpoint="/tasks/{id}"}')).toBe(
      2,
    );
  });

  it("have every metric of the table with its type, and no word of a caller", async () => {
    await start();
    await submit("Maria Keller", "/models/nlp/tasks/process?name=Maria");
    await submit("a text", "/models/Maria/tasks/process");
    await submit("a text", "/models/nlp/tasks/Maria");
    const { text } = await call(host.url, "/metrics");
    for (const { name, type, help } of Object.values(METRICS)) {
      expect(text).toContain(`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`);
    }
    expect(text).not.toMatch(/Maria|Keller|127\.0\.0\.1|[0-9a-f]{8}-[0-9a-f]{4}/);
  });
});
