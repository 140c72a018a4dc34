import { once } from "node:events";
import { type Gateway, GatewayError, type TaskRecord, type WaitOptions } from "@modelgate/core";
import { afterEach, describe, expect, it } from "vitest";
import type { HttpOptions } from "../src/index.ts";
import { handMadeGateway, taskRecord } from "./support/hand-made-gateway.ts";
import { HOSTS } from "./support/hosts.ts";
import { type Answer, call, openSocket } from "./support/http-client.ts";
import { type ModelServer, startModelServer } from "./support/model-server.ts";
import { startGateway } from "./support/real-gateway.ts";

describe.each(HOSTS)("Prefer: wait over $host", ({ open }) => {
  const closers: (() => Promise<unknown>)[] = [];
  let gateway: Gateway;

  async function withServer(options?: HttpOptions): Promise<{ url: string; server: ModelServer }> {
    const server = await startModelServer();
    const real = await startGateway({ nlp: server.url });
    gateway = real.gateway;
    const host = await open(gateway, options);
    closers.push(host.close, real.close, server.close);
    return { url: host.url, server };
  }

  async function withGateway(parts: Partial<Gateway>, options?: HttpOptions): Promise<string> {
    const submit = (async () => taskRecord()) as unknown as Gateway["submit"];
    const host = await open(handMadeGateway({ submit, ...parts }), options);
    closers.push(host.close);
    return host.url;
  }

  const submit = (url: string, body: string | Uint8Array, prefer: string): Promise<Answer> =>
    call(url, "/models/nlp/tasks/process", {
      method: "POST",
      headers: { "content-type": "text/plain", prefer },
      body,
    });

  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  it("answers with what the server answered", async () => {
    const { url } = await withServer();
    const answer = await submit(url, "a text", "respond-async, wait=10");
    expect(answer.status).toBe(200);
    expect(answer.text).toBe('{"length":6}');
    expect(answer.headers).toMatchObject({
      "content-type": 'application/json; profile="own"',
      "content-disposition": 'attachment; filename="server.json"',
      "preference-applied": "wait=10",
      "x-task-uuid": expect.stringMatching(/^[0-9a-f-]{36}$/),
      "x-task-status": "succeeded",
      "x-server-status": "200",
    });
    expect((await gateway.get(String(answer.headers["x-task-uuid"]))).state).toBe("succeeded");
  });

  it("answers a task that the server refused with the server's status and words", async () => {
    const { url } = await withServer();
    for (const status of [400, 422, 500]) {
      const answer = await submit(url, `status:${status}`, "wait=10");
      expect(answer.status).toBe(status);
      expect(answer.headers["content-type"]).toBe("application/json; charset=utf-8");
      expect(answer.headers["x-task-status"]).toBe("failed");
      expect(answer.text).toBe(`{"message":"the server's own words: ${status}"}`);
    }
  });

  it("answers a task that failed on this side with 502 and why", async () => {
    const error = { code: "NO_SERVER", message: "no server existed for its model for longer than allowed" };
    const url = await withGateway({ wait: async () => taskRecord({ state: "failed", error }) });
    const answer = await submit(url, "a text", "wait=10");
    expect(answer.status).toBe(502);
    expect(answer.headers).toMatchObject({ "x-task-status": "failed", "preference-applied": "wait=10" });
    expect(answer.json).toMatchObject({
      ...{ detail: error.message, uuid: "task-1", status: "failed", error },
      ...{ code: "NO_SERVER", type: "urn:modelgate:error:no-server", title: "No server" },
    });
  });

  it("does not take a status for the server's that no error has", async () => {
    const failed = taskRecord({ state: "failed", result: { sizeBytes: 1, status: 204 } });
    const url = await withGateway({
      wait: async () => failed,
      result: async () => ({
        task: failed as never,
        status: 204,
        sizeBytes: 1,
        body: (async function* () {})(),
      }),
    });
    expect((await submit(url, "a text", "wait=10")).status).toBe(502);
  });

  it("answers a cancelled task with 409", async () => {
    const { url } = await withServer();
    const answer = submit(url, "delay:5000", "wait=10");
    await expect.poll(async () => (await gateway.list()).items.length).toBe(1);
    const [task] = (await gateway.list()).items;
    await gateway.cancel(task?.id ?? "");
    expect((await answer).status).toBe(409);
    expect((await answer).json).toMatchObject({
      detail: "The task was cancelled.",
      uuid: task?.id,
      status: "cancelled",
    });
    expect((await answer).headers["x-task-status"]).toBe("cancelled");
  });

  it.each(["wait=0", "wait=1"])(
    "answers a task that has not ended in time (%s) with where it is",
    async (prefer) => {
      const { url } = await withServer();
      const answer = await submit(url, "delay:1500", prefer);
      const { uuid } = answer.json;
      expect(answer.status).toBe(202);
      expect(answer.json).toEqual({ uuid, status: expect.stringMatching(/^(pending|scheduled)$/) });
      expect(answer.headers).toMatchObject({ location: `/tasks/${uuid}`, "preference-applied": prefer });
      expect((await gateway.wait(uuid, { timeoutMs: 10_000 })).state).toBe("succeeded");
    },
  );

  it("waits no longer than the gateway allows, and says so", async () => {
    const { url } = await withServer({ maxWaitMs: 1_900, basePath: "/gateway" });
    const answer = await call(url, "/gateway/models/nlp/tasks/process", {
      method: "POST",
      headers: { "content-type": "text/plain", prefer: "wait=99999999999" },
      body: "delay:2500",
    });
    expect(answer.status).toBe(202);
    expect(answer.headers["preference-applied"]).toBe("wait=1");
    expect(answer.headers["location"]).toBe(`/gateway/tasks/${answer.json.uuid}`);
  });

  it("passes over a wish that it does not understand", async () => {
    const { url } = await withServer();
    const answer = await submit(url, "a text", "wait=soon");
    expect(answer.json.status).toBe("Task submitted successfully");
    expect(answer.headers["preference-applied"]).toBeUndefined();
  });

  it.each([
    ["the wait", { wait: rejects, get: rejects }],
    [
      "the result",
      { wait: async () => taskRecord({ state: "succeeded", result: { sizeBytes: 1 } }), result: rejects },
    ],
  ])("never answers an accepted task with an error of %s", async (_what, parts) => {
    const seen: unknown[] = [];
    const url = await withGateway(parts as Partial<Gateway>, { onError: (error) => seen.push(error) });
    const answer = await submit(url, "a text", "wait=10");
    expect(answer.status).toBe(202);
    expect(answer.json.uuid).toBe("task-1");
    expect(answer.headers["location"]).toBe("/tasks/task-1");
    expect(seen).toHaveLength(1);
  });

  it("says that a result was forgotten before it could be told", async () => {
    const url = await withGateway({
      wait: async () => taskRecord({ state: "succeeded", result: { sizeBytes: 1 } }),
      result: async () => {
        throw new GatewayError("RESULT_EXPIRED", "forgotten");
      },
    });
    const answer = await submit(url, "a text", "wait=10");
    expect(answer.status).toBe(410);
    expect(answer.json).toMatchObject({ uuid: "task-1", status: "succeeded" });
  });

  it("cancels nothing when the client hangs up after the task was accepted", async () => {
    const { url, server } = await withServer();
    const socket = await openSocket(url);
    socket.write(
      "POST /models/nlp/tasks/process HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\nprefer: wait=30\r\ncontent-length: 9\r\n\r\ndelay:300",
    );
    await expect.poll(() => server.received.length).toBe(1);
    socket.destroy();
    const [task] = (await gateway.list()).items;
    expect((await gateway.wait(task?.id ?? "", { timeoutMs: 10_000 })).state).toBe("succeeded");
    expect(server.received).toHaveLength(1);
  });

  it("stops waiting for a client that hung up", async () => {
    const waits: WaitOptions[] = [];
    const wait = (_id: string, options: WaitOptions = {}): Promise<TaskRecord> => {
      waits.push(options);
      return new Promise((_resolve, reject) => {
        options.signal?.addEventListener("abort", () => reject(options.signal?.reason));
      });
    };
    const url = await withGateway({ wait, get: async () => taskRecord() });
    const socket = await openSocket(url);
    socket.write(
      "POST /models/nlp/tasks/process HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\nprefer: wait=30\r\ncontent-length: 1\r\n\r\nx",
    );
    await expect.poll(() => waits.length).toBe(1);
    const { signal } = waits[0] ?? {};
    const aborted = once(signal as EventTarget, "abort");
    socket.destroy();
    await aborted;
  });
});

async function rejects(): Promise<never> {
  throw new GatewayError("STORE_UNAVAILABLE", "the store is away");
}
