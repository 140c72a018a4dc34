import { afterEach, describe, expect, it } from "vitest";
import { createLog } from "../../src/command/log.ts";
import { logRequests } from "../../src/command/log-requests.ts";
import type { AnsweredRequest } from "../../src/index.ts";
import { traceIdOf } from "../../src/requests/trace-id.ts";
import { HOSTS, type OpenHost } from "../support/hosts.ts";
import { call } from "../support/http-client.ts";
import { type ModelServer, startModelServer } from "../support/model-server.ts";
import { type RealGateway, startGateway } from "../support/real-gateway.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";

describe.each(HOSTS)("who is told of answered requests over $host", ({ open }) => {
  let model: ModelServer;
  let real: RealGateway;
  let host: OpenHost;
  let told: AnsweredRequest[];

  async function start(): Promise<void> {
    told = [];
    model = await startModelServer();
    real = await startGateway({ nlp: model.url });
    host = await open(real.gateway, { onRequest: (request) => told.push(request) });
  }

  afterEach(async () => {
    await host.close();
    await real.close();
    await model.close();
  });

  const submit = (headers: Record<string, string> = {}, target = "/models/nlp/tasks/process?secret=Keller") =>
    call(host.url, target, {
      method: "POST",
      headers: { "content-type": "text/plain", ...headers },
      body: "Maria",
    });

  it("learns model, task, status and trace, and the caller its id", async () => {
    await start();
    const { headers, json } = await submit({
      "x-request-id": "from-the-proxy:1",
      traceparent: `00-${TRACE}-${PARENT}-01`,
    });
    expect(headers["x-request-id"]).toBe("from-the-proxy:1");
    expect(told).toEqual([
      {
        ...{ id: "from-the-proxy:1", method: "POST", route: "/models/{model}/tasks/{task}", status: 200 },
        ...{ model: "nlp", task: json.uuid, traceId: TRACE, durationMs: expect.any(Number) },
      },
    ]);
    await call(host.url, `/tasks/${json.uuid}`);
    expect(told[1]).toMatchObject({ route: "/tasks/{id}", method: "GET", task: json.uuid, status: 200 });
  });

  it("learns nothing that a caller made up", async () => {
    await start();
    const made: unknown[] = [];
    for (const id of ["", "two words", `x${"y".repeat(128)}`, 'a"b', "a,b"]) {
      const { headers } = await submit(
        { "x-request-id": id, traceparent: "Maria" },
        "/models/Maria/tasks/process",
      );
      expect(headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
      made.push(headers["x-request-id"]);
    }
    expect(told.map(({ id }) => id)).toEqual(made);
    expect(new Set(made).size).toBe(5);
    await call(host.url, "/tasks/Maria?Maria", { headers: { "x-request-id": "one" } });
    const { headers } = await call(host.url, "/Maria", {
      method: "PROPFIND",
      headers: { "x-request-id": "two" },
    });
    expect(headers["x-request-id"]).toBe("two");
    expect(told.slice(5)).toMatchObject([
      { id: "one", route: "/tasks/{id}", status: 404, task: undefined },
      { id: "two", route: "other", method: "other", status: 404 },
    ]);
    expect(JSON.stringify(told)).not.toMatch(/Maria|Keller/);
  });

  it("shares the id and the trace with a server that the request goes straight to", async () => {
    await start();
    const traceparent = `00-${TRACE}-${PARENT}-01`;
    const pass = (id: string) =>
      call(host.url, "/models/nlp/v1/embeddings", {
        method: "POST",
        headers: { "content-type": "text/plain", "x-request-id": id, traceparent, tracestate: "a=b" },
        body: "text",
      });
    const answers = [await pass("from-the-proxy"), await pass("no good id")];
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    const arrived = model.received.slice(-2).map(({ headers }) => headers);
    expect(arrived.map((headers) => headers["x-request-id"])).toEqual(
      answers.map(({ headers }) => headers["x-request-id"]),
    );
    expect(arrived[0]).toMatchObject({ "x-request-id": "from-the-proxy", traceparent, tracestate: "a=b" });
    expect(told.at(-1)).toMatchObject({
      route: "/models/{model}/*",
      model: "nlp",
      status: 200,
      traceId: TRACE,
    });
  });
});

describe("traceIdOf", () => {
  it.each([
    [`00-${TRACE}-${PARENT}-01`, TRACE],
    [`00-${TRACE}-${PARENT}-00`, TRACE],
    [`cc-${TRACE}-${PARENT}-01-what-comes-later`, TRACE],
    [`00-${TRACE}-${PARENT}-01-what-comes-later`, undefined],
    [`ff-${TRACE}-${PARENT}-01`, undefined],
    [`00-${"0".repeat(32)}-${PARENT}-01`, undefined],
    [`00-${TRACE}-${"0".repeat(16)}-01`, undefined],
    [`00-${TRACE.toUpperCase()}-${PARENT}-01`, undefined],
    [`00-${TRACE}-${PARENT}`, undefined],
    ["", undefined],
    [undefined, undefined],
  ])("of %j is %j", (traceparent, trace) => {
    expect(traceIdOf(traceparent)).toBe(trace);
  });
});

describe("the log line of a request", () => {
  const request = { id: "a", method: "GET", route: "/tasks/{id}", status: 200, durationMs: 1.23456 };

  function linesOf(asJson: boolean, ...requests: readonly AnsweredRequest[]): readonly string[] {
    const lines: string[] = [];
    const write = (line: string): void => void lines.push(line);
    const tell = logRequests(createLog({ level: "info", asJson, fields: { role: "serve" }, write }));
    for (const each of requests) tell(each);
    return lines;
  }

  it("is one JSON object, without what is not known", () => {
    const [line = ""] = linesOf(true, { ...request, task: "t-1", traceId: undefined });
    expect(JSON.parse(line)).toEqual({
      ...{ time: expect.any(String), level: "info", message: "request answered", role: "serve" },
      ...{ requestId: "a", method: "GET", route: "/tasks/{id}", status: 200, durationMs: 1.235, task: "t-1" },
    });
  });

  it("is a warning for an error of the server, and none at this level for monitoring", () => {
    const lines = linesOf(
      false,
      { ...request, status: 503, model: "a model\nlevel=error" },
      { ...request, route: "/metrics" },
    );
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(
      /^\S+ warn request answered requestId=a .* model="a model\\nlevel=error" role=serve\n$/,
    );
  });
});
