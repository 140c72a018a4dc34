import { createServer, type Server } from "node:net";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type Fixture, openFixture } from "../command/fixture.ts";
import { freePort } from "../support/free-port.ts";
import { call } from "../support/http-client.ts";
import { openDesk } from "./told.ts";

const desk = openDesk();

/** Names of the counters of CogStack's gateway that a scrape tells. */
function namesIn(text: string): string[] {
  const names = [...text.matchAll(/^# TYPE (\w+) /gm)].map(([, name = ""]) => name);
  return names.filter((name) => /^(gateway|scheduler|ripper)_/.test(name)).sort();
}

describe("modelgate serve in the place of CogStack's gateway", () => {
  let fixture: Fixture;
  let corporate: Server;
  let connections = 0;
  beforeAll(async () => {
    fixture = await openFixture();
    corporate = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => corporate.listen(0, "127.0.0.1", resolve));
  });
  afterAll(async () => {
    desk.close();
    corporate.close();
    await fixture.close();
  });

  it("runs tasks by its file and variables, and keeps corporate proxies out of it", async () => {
    const [schedulerPort, reaperPort] = await Promise.all([freePort(), freePort()]);
    const address = corporate.address();
    const proxy = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
    const file = {
      cms: { host_url: "", proxy: { http_proxy: proxy, https_proxy: proxy } },
      models: { deployment: { manual: { max_ttl: 604800 } } },
    };
    const running = fixture.start(["serve", "--port", "0", "--server", `nlp=${fixture.model.url}`], {
      environment: {
        ...{ CONFIG_FILE: desk.file("config.json", file), CMG_SCHEDULER_MAX_CONCURRENT_TASKS: "2" },
        ...{ CMG_SCHEDULER_METRICS_PORT: `${schedulerPort}`, CMG_RIPPER_METRICS_PORT: `${reaperPort}` },
        ...{ HTTP_PROXY: proxy, HTTPS_PROXY: proxy, http_proxy: proxy, https_proxy: proxy, ALL_PROXY: proxy },
        ...{ NODE_USE_ENV_PROXY: "1", CMG_QUEUE_HOST: "queue" },
        // There is no engine here.
        ...{ MODELGATE_DOCKER_ENABLED: "false", MODELGATE_DEPLOYMENTS_ENABLED: "false" },
      },
    });
    const url = (await running.listening()).replace("0.0.0.0", "127.0.0.1");
    let answer = await call(url, "/models/nlp/tasks/process", textTask);
    while (answer.status === 503) answer = await call(url, "/models/nlp/tasks/process", textTask);
    expect(answer.status).toBe(200);
    await vi.waitFor(
      async () =>
        expect((await call(url, `/tasks/${answer.json.uuid}`)).json).toMatchObject({ status: "succeeded" }),
      { timeout: 10_000 },
    );
    expect(connections).toBe(0);
    expect(running.stderr()).toContain("CMG_QUEUE_HOST has no use here");

    // Three ports, and no counter on two of them.
    const [main, scheduler, reaper] = await Promise.all(
      [url, `http://127.0.0.1:${schedulerPort}`, `http://127.0.0.1:${reaperPort}`].map(
        async (each) => (await call(each, "/metrics")).text,
      ),
    );
    expect(namesIn(main ?? "").every((name) => name.startsWith("gateway_"))).toBe(true);
    expect(namesIn(main ?? "")).toContain("gateway_tasks_processed_total");
    expect(main).toContain("process_cpu_seconds_total");
    expect(namesIn(scheduler ?? "")).toEqual([
      "scheduler_tasks_completed_total",
      "scheduler_tasks_requeued_total",
      "scheduler_tasks_scheduled_total",
    ]);
    expect(scheduler).toContain(
      'scheduler_tasks_completed_total{model="nlp",type="process",status="succeeded"',
    );
    expect(namesIn(reaper ?? "")).toEqual([
      "ripper_containers_checked_total",
      "ripper_containers_purged_total",
      "ripper_model_idle_time_seconds",
    ]);
    for (const text of [scheduler, reaper]) expect(text).not.toMatch(/^(process|nodejs|modelgate|gateway)_/m);
    expect((await call(`http://127.0.0.1:${schedulerPort}`, "/healthz")).status).toBe(200);
  });

  it("has one port with everything where nobody names others, and says which port is in use", async () => {
    const { url, running } = await fixture.serve();
    const { text } = await call(url, "/metrics");
    for (const name of [
      "gateway_requests_total",
      "scheduler_tasks_requeued_total",
      "ripper_containers_purged_total",
    ])
      expect(namesIn(text)).toContain(name);
    running.child.kill();
    await running.ended;
    const taken = corporate.address();
    const port = typeof taken === "object" ? `${taken?.port}` : "";
    const refused = await fixture.run(["serve", "--port", "0", "--scheduler-port", port]);
    expect(refused.stderr).toContain(
      `port ${port} of 127.0.0.1 is in use; choose another one with --scheduler-port`,
    );
  });

  it("is told by doctor which setting of MLflow is to be mended", async () => {
    const page = createServer((socket) =>
      socket.end("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>log in"),
    );
    await new Promise<void>((resolve) => page.listen(0, "127.0.0.1", resolve));
    const { port } = page.address() as { readonly port: number };
    const check = async (mlflow: string): Promise<string> => {
      const { stdout } = await fixture.run(["doctor", "--json", "--mlflow-url", mlflow]);
      const { findings } = JSON.parse(stdout);
      return JSON.stringify(findings.filter((each: { check: string }) => each.check === "MLflow"));
    };
    const found = await check(`http://user:hidden@127.0.0.1:${port}/x`);
    expect(found).not.toContain("hidden");
    expect(found).toMatch(
      /"fail".*not the API of MLflow; check url \(mlflow\.url \(MODELGATE_MLFLOW_URL\)\)/,
    );
    page.close();
  });
});

const textTask = {
  method: "POST",
  headers: { "content-type": "text/plain" },
  body: "text",
};
