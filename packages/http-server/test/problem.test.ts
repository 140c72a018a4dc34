import { GatewayError, type SubmitRequest } from "@modelgate/core";
import { afterEach, describe, expect, it } from "vitest";
import { handMadeGateway, taskRecord } from "./support/hand-made-gateway.ts";
import { HOSTS, type OpenHost } from "./support/hosts.ts";
import { type Answer, call } from "./support/http-client.ts";

const PROBLEM = "application/problem+json";

describe.each(HOSTS)("errors in the form of RFC 9457 over $host", ({ open }) => {
  let host: OpenHost | undefined;

  async function opened(): Promise<string> {
    const failed = taskRecord({
      state: "failed",
      error: { code: "NO_SERVER", message: "no server existed" },
    });
    host = await open(
      handMadeGateway({
        get: async (id) => {
          throw new GatewayError(id === "busy" ? "STORE_UNAVAILABLE" : "TASK_UNKNOWN", "a secret");
        },
        submit: (async ({ model }: SubmitRequest) => {
          if (model !== "nlp") throw new GatewayError("MODEL_UNKNOWN", "no such model");
          return taskRecord();
        }) as never,
        wait: async () => failed,
        health: async () => ({ isHealthy: false, components: { ledger: "unhealthy" } }),
      }),
    );
    return host.url;
  }

  afterEach(() => host?.close());

  const submit = (url: string, headers: Record<string, string>, path = "/models/nlp/tasks/process") =>
    call(url, path, { method: "POST", headers, body: "x" });

  const text = { "content-type": "text/plain" };
  const ERRORS: readonly [
    string,
    number,
    string,
    (url: string, accept: Record<string, string>) => Promise<Answer>,
  ][] = [
    ["an unknown path", 404, "not-found", (url, accept) => call(url, "/x", { headers: accept })],
    [
      "another method",
      405,
      "method-not-allowed",
      (url, accept) => call(url, "/", { method: "PUT", headers: accept }),
    ],
    ["a forbidden list", 403, "forbidden", (url, accept) => call(url, "/tasks", { headers: accept })],
    ["an unknown task", 404, "task-unknown", (url, accept) => call(url, "/tasks/x", { headers: accept })],
    [
      "an unknown model",
      503,
      "model-unknown",
      (url, accept) => submit(url, { ...text, ...accept }, "/models/x/tasks/process"),
    ],
    [
      "an unknown operation",
      404,
      "operation-unknown",
      (url, accept) => submit(url, { ...text, ...accept }, "/models/nlp/tasks/x"),
    ],
    ["a missing type", 422, "invalid-request", (url, accept) => submit(url, accept)],
    ["a wrong type", 400, "bad-request", (url, accept) => submit(url, { "content-type": "a/b", ...accept })],
    [
      "a store that is away",
      503,
      "store-unavailable",
      (url, accept) => call(url, "/tasks/busy", { headers: accept }),
    ],
  ];

  it.each(ERRORS)("tell of %s with CMG's detail in every form", async (_what, status, type, ask) => {
    const url = await opened();
    const plain = await ask(url, {});
    const asked = await ask(url, { accept: `text/html, ${PROBLEM}; q=0.9` });
    expect([plain.status, asked.status]).toEqual([status, status]);
    expect(plain.headers["content-type"]).toBe("application/json");
    expect(asked.headers["content-type"]).toBe(PROBLEM);
    expect(asked.json).toMatchObject({
      type: `urn:modelgate:error:${type}`,
      status,
      title: expect.any(String),
    });
    expect(asked.json.detail).toEqual(plain.json.detail);
    expect(plain.headers["retry-after"]).toBe(asked.headers["retry-after"]);
  });

  it("leave two bodies alone that callers compare as a whole", async () => {
    const url = await opened();
    for (const accept of [{}, { accept: "*/*" }, { accept: "application/json" }] as Record<
      string,
      string
    >[]) {
      expect((await call(url, "/tasks", { headers: accept })).text).toBe(
        '{"detail":"Only admins can list tasks"}',
      );
      expect((await call(url, "/tasks/x", { headers: accept })).text).toBe(`{"detail":"Task 'x' not found"}`);
    }
  });

  it("have a number for their status, also where it says how a task or the gateway is", async () => {
    const url = await opened();
    const waiting = { ...text, prefer: "wait=1" };
    expect((await submit(url, waiting)).json).toMatchObject({ status: "failed", code: "NO_SERVER" });
    const failed = await submit(url, { ...waiting, accept: PROBLEM });
    expect(failed.status).toBe(502);
    expect(failed.headers).toMatchObject({ "content-type": PROBLEM, "x-task-status": "failed" });
    expect(failed.json).toMatchObject({
      status: 502,
      task_status: "failed",
      uuid: "task-1",
      detail: "no server existed",
    });
    expect((await call(url, "/health")).json).toMatchObject({ status: "unhealthy", components: {} });
    const health = await call(url, "/health", { headers: { accept: PROBLEM } });
    expect(health.json).toMatchObject({ status: 503, health: "unhealthy", title: "Service Unavailable" });
  });

  it("are not what a success becomes", async () => {
    const answer = await call(await opened(), "/", { headers: { accept: PROBLEM } });
    expect(answer.headers["content-type"]).toBe("application/json");
  });
});
