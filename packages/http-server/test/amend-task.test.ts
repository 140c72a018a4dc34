import { type Gateway, GatewayError } from "@modelgate/core";
import { afterEach, describe, expect, it } from "vitest";
import { startDurableGateway } from "./support/durable-gateway.ts";
import { handMadeGateway, taskRecord } from "./support/hand-made-gateway.ts";
import { HOSTS } from "./support/hosts.ts";
import { type Answer, call } from "./support/http-client.ts";
import { type ModelServer, startModelServer } from "./support/model-server.ts";

describe.each(HOSTS)("a task over $host", ({ open }) => {
  const closers: (() => Promise<unknown>)[] = [];

  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  async function withServer(): Promise<{ url: string; gateway: Gateway; server: ModelServer }> {
    const server = await startModelServer();
    const real = await startDurableGateway({ nlp: server.url });
    const host = await open(real.gateway);
    closers.push(host.close, real.close, server.close);
    return { url: host.url, gateway: real.gateway, server };
  }

  async function withGateway(parts: Partial<Gateway>): Promise<string> {
    const host = await open(handMadeGateway(parts));
    closers.push(host.close);
    return host.url;
  }

  const retry = (url: string, id: string, query = ""): Promise<Answer> =>
    call(url, `/tasks/${id}/retry${query}`, { method: "POST" });
  const patch = (url: string, id: string, body: string | Uint8Array, headers = {}): Promise<Answer> =>
    call(url, `/tasks/${id}`, {
      method: "PATCH",
      headers: { "content-type": "application/json", ...headers },
      body,
    });

  it.each(["status:500", `status:500 ${"x".repeat(50_000)}`])(
    "is done once more when it is retried",
    async (payload) => {
      const { url, gateway, server } = await withServer();
      const query = "a=1&a=2";
      const submitted = {
        model: "nlp",
        operation: "process",
        contentType: "text/plain; x=y",
        payload,
        query,
      };
      const { id } = await gateway.submit({ ...submitted, priority: 3 });
      expect((await gateway.wait(id, { timeoutMs: 10_000 })).state).toBe("failed");
      const answer = await retry(url, id, "?priority=8");
      expect(answer.status).toBe(200);
      expect(answer.json.status).toMatch(/^(pending|scheduled)$/);
      const again = await gateway.wait(answer.json.uuid, { timeoutMs: 10_000 });
      expect(again).toMatchObject({ retryOf: id, priority: 8, state: "failed" });
      expect(again.id).not.toBe(id);
      expect(server.received.map(({ target }) => target)).toEqual(["/process?a=1&a=2", "/process?a=1&a=2"]);
      expect(server.received[1]?.body.toString()).toBe(payload);
      expect(server.received[1]?.headers["content-type"]).toBe("text/plain; x=y");
      expect((await gateway.get((await retry(url, `${id}`)).json.uuid)).priority).toBe(3);
    },
  );

  it("is not retried before it has ended, nor without its payload, nor when there is none", async () => {
    const { url, gateway } = await withServer();
    const { id } = await gateway.submit({ model: "nlp", operation: "process", payload: "delay:300" });
    const early = await retry(url, id);
    expect(early.status).toBe(409);
    expect(early.json.code).toBe("TASK_NOT_ENDED");
    expect((await retry(url, "no-such-task")).text).toBe(`{"detail":"Task 'no-such-task' not found"}`);
    for (const [code, status] of [
      ["PAYLOAD_LOST", 410],
      ["QUEUE_FULL", 429],
    ] as const) {
      const lost = await withGateway({
        retry: async () => {
          throw new GatewayError(code, "its payload is gone");
        },
      });
      expect((await retry(lost, id)).status).toBe(status);
    }
    const bad = await retry(url, id, "?priority=11");
    expect(bad.status).toBe(422);
    expect(bad.json.detail[0].loc).toEqual(["query", "priority"]);
  });

  it("is not retried for a model that nobody knows any more", async () => {
    const url = await withGateway({
      get: async () => taskRecord({ model: "gone" }),
      retry: async () => {
        throw new GatewayError("MODEL_UNKNOWN", "no server");
      },
    });
    const answer = await retry(url, "task-1");
    expect(answer.status).toBe(503);
    expect(answer.json.detail).toContain("Model 'gone' is not available.");
  });

  it("gets another priority while it waits", async () => {
    const { url, gateway } = await withServer();
    const payload = "delay:600";
    const tasks = Array.from({ length: 40 }, () => ({ model: "nlp", operation: "process", payload }));
    await gateway.submit(tasks);
    const pending = async () => (await gateway.list({ filter: { states: ["pending"] } })).items;
    await expect.poll(async () => (await pending()).length).toBeLessThan(40);
    const last = (await pending())[0]?.id ?? "";
    const answer = await patch(url, last, '{"priority": 9}');
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({
      uuid: last,
      status: "pending",
      priority: 9,
      attempt: 0,
      type: "process",
    });
    expect((await gateway.get(last)).priority).toBe(9);
    expect((await patch(url, last, '{"priority":1.0}')).json.priority).toBe(1);
  });

  it("keeps its priority once it has ended, and is not there when it is not", async () => {
    const { url, gateway } = await withServer();
    const { id } = await gateway.submit({ model: "nlp", operation: "process", payload: "x" });
    await gateway.wait(id, { timeoutMs: 10_000 });
    const answer = await patch(url, id, '{"priority": 9}');
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ status: "succeeded", priority: 5 });
    const unknown = await patch(url, "no-such-task", '{"priority": 9}');
    expect(unknown.status).toBe(404);
  });

  it.each([
    ['{"priority": 11}', ["body", "priority"]],
    ['{"priority": -1}', ["body", "priority"]],
    ['{"priority": 1.5}', ["body", "priority"]],
    ['{"priority": "5"}', ["body", "priority"]],
    ['{"priority": true}', ["body", "priority"]],
    ['{"priority": null}', ["body", "priority"]],
    ['{"priority": NaN}', ["body"]],
    ["{}", ["body", "priority"]],
    ['{"priority": 5, "model": "x"}', ["body", "model"]],
    ["[5]", ["body"]],
    ["5", ["body"]],
    ["", ["body"]],
    ['{"priority": 5', ["body"]],
    [Buffer.from('{"priorität": 5}', "latin1"), ["body"]],
  ])("refuses the change %s by its name", async (body, loc) => {
    const url = await withGateway({ reprioritise: async () => taskRecord() });
    const answer = await patch(url, "task-1", body);
    expect(answer.status).toBe(422);
    expect(answer.json.detail[0].loc).toEqual(loc);
    expect(answer.text).not.toContain("prioritä");
  });

  it("refuses a change of more than a few kilobytes, announced or not", async () => {
    const url = await withGateway({});
    const body = `{"priority": 5${" ".repeat(20_000)}}`;
    for (const headers of [{}, { "transfer-encoding": "chunked" }]) {
      const answer = await patch(url, "task-1", body, headers);
      expect(answer.status).toBe(413);
      expect(answer.json.detail).toContain("16384");
    }
  });
});
