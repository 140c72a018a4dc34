import {
  type Gateway,
  GatewayError,
  type TaskRecord,
  type TaskResult,
  type TaskState,
} from "@modelgate/core";
import { afterEach, describe, expect, it } from "vitest";
import { handMadeGateway, taskRecord } from "./support/hand-made-gateway.ts";
import { HOSTS } from "./support/hosts.ts";
import { call } from "./support/http-client.ts";
import { startModelServer } from "./support/model-server.ts";
import { startGateway } from "./support/real-gateway.ts";

const isoTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/;

describe.each(HOSTS)("tasks over $host", ({ open }) => {
  const closers: (() => Promise<unknown>)[] = [];
  let gateway: Gateway;

  async function withServer(): Promise<string> {
    const server = await startModelServer();
    const real = await startGateway({ nlp: server.url });
    gateway = real.gateway;
    const host = await open(gateway);
    closers.push(host.close, real.close, server.close);
    return host.url;
  }

  async function withGateway(parts: Partial<Gateway>): Promise<string> {
    const host = await open(handMadeGateway(parts));
    closers.push(host.close);
    return host.url;
  }

  async function ended(url: string, body: string): Promise<TaskRecord> {
    const answer = await call(url, "/models/nlp/tasks/process", {
      method: "POST",
      headers: { "content-type": "text/plain", "user-agent": "tests/1" },
      body,
    });
    return gateway.wait(answer.json.uuid, { timeoutMs: 10_000 });
  }

  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  it("are not listed", async () => {
    const url = await withGateway({});
    for (const path of ["/tasks", "/tasks/"]) {
      const answer = await call(url, path);
      expect(answer.status).toBe(403);
      expect(answer.text).toBe('{"detail":"Only admins can list tasks"}');
    }
  });

  it.each(["no-such-task", "a%20b", "it's", "x".repeat(200)])("are not found as %s", async (id) => {
    const url = await withServer();
    const detail = `Task '${decodeURIComponent(id)}' not found`;
    for (const options of [{}, { method: "DELETE" }]) {
      for (const query of ["", "?detail=true", "?download=true"]) {
        const answer = await call(url, `/tasks/${id}${query}`, options);
        expect(answer.status).toBe(404);
        expect(answer.json).toEqual({ detail });
      }
    }
  });

  it("are shown shortly by default", async () => {
    const url = await withServer();
    const { id } = await ended(url, "a text");
    for (const target of [`/tasks/${id}`, `/tasks/${id}/`, `/tasks/${id}?detail=no&download=0`]) {
      const answer = await call(url, target);
      expect(answer.status).toBe(200);
      expect(answer.text).toBe(`{"uuid":"${id}","status":"succeeded"}`);
    }
  });

  it("are shown in full on request", async () => {
    const url = await withServer();
    const { id } = await ended(url, "a text");
    const answer = await call(url, `/tasks/${id}?detail=true`);
    expect(answer.json).toEqual({
      uuid: id,
      status: "succeeded",
      model: "nlp",
      type: "process",
      source: "ip=127.0.0.1; ua=tests/1",
      created_at: expect.stringMatching(isoTime),
      started_at: expect.stringMatching(isoTime),
      finished_at: expect.stringMatching(isoTime),
      result: `${id}_results.json`,
      error_message: null,
      tracking_id: null,
    });
    expect(Object.keys(answer.json)).toEqual([
      ..."uuid status model type source created_at started_at finished_at".split(" "),
      ..."result error_message tracking_id".split(" "),
    ]);
  });

  it("have nulls as long as nothing has happened", async () => {
    const url = await withGateway({ get: async () => taskRecord() });
    expect((await call(url, "/tasks/task-1?detail=1")).json).toEqual({
      uuid: "task-1",
      status: "pending",
      model: "nlp",
      type: "process",
      source: null,
      created_at: "2025-11-20T23:11:56.654000+00:00",
      started_at: null,
      finished_at: null,
      result: null,
      error_message: null,
      tracking_id: null,
    });
  });

  it("have a tracking id while they run in the background, and no error of an earlier attempt", async () => {
    const error = { code: "SERVER_TIMEOUT", message: "the server took too long" };
    const url = await withGateway({
      get: async () => taskRecord({ state: "running", runId: "run-7", error }),
    });
    expect((await call(url, "/tasks/task-1?detail=1")).json).toMatchObject({
      status: "running",
      error_message: null,
      tracking_id: "run-7",
    });
  });

  it("fail with the server's own words as their result, and in the detail view", async () => {
    const url = await withServer();
    const { id, error } = await ended(url, "status:422");
    expect(error?.message).not.toContain("own words");
    const shown = (await call(url, `/tasks/${id}?detail=true`)).json;
    expect(shown).toMatchObject({
      status: "failed",
      error_message: `The server refused the task with status 422: {"message":"the server's own words: 422"}`,
    });
    const download = await call(url, `/tasks/${id}?download=true`);
    expect(download.status).toBe(200);
    expect(download.headers["x-task-status"]).toBe("failed");
    expect(download.headers["x-server-status"]).toBe("422");
    expect(download.json).toEqual({ message: "the server's own words: 422" });
  });

  it("give their result with the server's media type", async () => {
    const url = await withServer();
    const { id } = await ended(url, "a text");
    for (const query of ["download=true", "detail=true&download=true"]) {
      const answer = await call(url, `/tasks/${id}?${query}`);
      expect(answer.status).toBe(200);
      expect(answer.text).toBe('{"length":6}');
      expect(answer.headers).toMatchObject({
        "content-type": 'application/json; profile="own"',
        "content-disposition": `attachment; filename=${id}_results.json`,
        "content-length": "12",
        "x-task-uuid": id,
        "x-task-status": "succeeded",
      });
    }
  });

  it.each(["TASK_NOT_ENDED", "NO_RESULT"] as const)("are shown instead of a result on %s", async (code) => {
    const result = async (): Promise<never> => {
      throw new GatewayError(code, "nothing yet");
    };
    const url = await withGateway({ result, get: async () => taskRecord({ state: "scheduled" }) });
    expect((await call(url, "/tasks/task-1?download=true")).json).toEqual({
      uuid: "task-1",
      status: "scheduled",
    });
    expect((await call(url, "/tasks/task-1?download=true&detail=true")).json).toHaveProperty("created_at");
  });

  it("answer 410 for a result that was forgotten on time", async () => {
    const url = await withGateway({
      result: async () => {
        throw new GatewayError("RESULT_EXPIRED", "it was forgotten on time");
      },
      get: async () => taskRecord({ state: "succeeded", result: { sizeBytes: 3, isForgotten: true } }),
    });
    const answer = await call(url, "/tasks/task-1?download=true");
    expect(answer.status).toBe(410);
    expect(answer.json).toMatchObject({ detail: "it was forgotten on time", code: "RESULT_EXPIRED" });
    expect((await call(url, "/tasks/task-1?detail=true")).json.result).toBeNull();
  });

  it("send a result without a media type, or with one that no header can hold, as bytes", async () => {
    const task = taskRecord({ state: "succeeded" }) as TaskResult["task"];
    const bytes = Buffer.from([1, 2, 3]);
    let contentType: string | undefined;
    const url = await withGateway({
      result: async () => ({ task, bytes, sizeBytes: 3, contentType, body: (async function* () {})() }),
    });
    for (contentType of [undefined, "", "text/plain\r\nx: y", "text/…"]) {
      const answer = await call(url, "/tasks/task-1?download=true");
      expect(answer.headers["content-type"]).toBe("application/octet-stream");
      expect(answer.body.equals(bytes)).toBe(true);
    }
  });

  it("refuse booleans that are none, each with its place", async () => {
    const url = await withGateway({});
    const answer = await call(url, "/tasks/task-1?detail=maybe&download=");
    expect(answer.status).toBe(422);
    expect(answer.json.detail.map((issue: { loc: string[] }) => issue.loc)).toEqual([
      ["query", "detail"],
      ["query", "download"],
    ]);
  });

  it("can be cancelled while they wait, once", async () => {
    const url = await withServer();
    const payload = "delay:600";
    await gateway.submit(Array.from({ length: 40 }, () => ({ model: "nlp", operation: "process", payload })));
    const inState = (...states: TaskState[]) => gateway.list({ filter: { states } });
    await expect.poll(async () => (await inState("scheduled")).items.length).toBeGreaterThan(0);
    const last = (await inState("pending")).items.at(-1)?.id ?? "";
    const answer = await call(url, `/tasks/${last}`, { method: "DELETE" });
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({ uuid: last, status: "cancelled" });
    expect((await call(url, `/tasks/${last}/`, { method: "DELETE" })).json).toEqual(answer.json);
    expect((await call(url, `/tasks/${last}?detail=true`)).json).toMatchObject({
      status: "cancelled",
      error_message: null,
      finished_at: expect.stringMatching(isoTime),
    });
  });

  it("stay as they are when they are cancelled after their ending", async () => {
    const url = await withServer();
    const { id } = await ended(url, "a text");
    const answer = await call(url, `/tasks/${id}`, { method: "DELETE" });
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({ uuid: id, status: "succeeded" });
  });
});
