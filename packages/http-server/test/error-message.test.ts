import { type Gateway, GatewayError, type TaskRecord, type TaskResult } from "@modelgate/core";
import { afterEach, describe, expect, it } from "vitest";
import { handMadeGateway, taskRecord } from "./support/hand-made-gateway.ts";
import { HOSTS } from "./support/hosts.ts";
import { call } from "./support/http-client.ts";

const SENTENCE = "The fixed sentence.";

describe.each(HOSTS)("why a task failed over $host", ({ open }) => {
  const closers: (() => Promise<unknown>)[] = [];

  async function shown(
    body: string,
    parts: Partial<TaskResult> = {},
    task: Partial<TaskRecord> = {},
  ): Promise<unknown> {
    const error = { code: "SERVER_REJECTED", message: SENTENCE };
    const bytes = Buffer.from(body, "latin1");
    const record = taskRecord({ state: "failed", error, result: { sizeBytes: bytes.byteLength }, ...task });
    async function* stream(): AsyncGenerator<Uint8Array, void, undefined> {
      for (let at = 0; at < bytes.byteLength; at += 1000) yield bytes.subarray(at, at + 1000);
    }
    return await messageOf({
      get: async () => record,
      result: async () => ({
        ...{ task: record as TaskResult["task"], contentType: "application/json", status: 422 },
        ...{ sizeBytes: bytes.byteLength, body: stream(), ...parts },
      }),
    });
  }

  async function messageOf(parts: Partial<Gateway>): Promise<unknown> {
    const host = await open(handMadeGateway(parts));
    closers.push(host.close);
    return (await call(host.url, "/tasks/task-1?detail=true")).json.error_message;
  }

  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  it("is what the server said, shortened", async () => {
    expect(await shown('{"message":"no such concept"}')).toBe(
      'The server refused the task with status 422: {"message":"no such concept"}',
    );
    expect(await shown(" proxy away\r\n", { contentType: "text/plain", status: 503 })).toBe(
      "The server refused the task with status 503: proxy away",
    );
    const long = (await shown("x".repeat(50_000), { contentType: "text/html" })) as string;
    expect(long).toHaveLength("The server refused the task with status 422: ".length + 2_049);
    expect(long.endsWith("x…")).toBe(true);
  });

  it("is what a training's document says, as Python prints a list", async () => {
    const failed = JSON.stringify({ run: { run_id: "r", status: "FAILED" }, error: ["it's over", "twice"] });
    expect(await shown(failed, { status: undefined })).toBe(`["it's over", 'twice']`);
    const silent = JSON.stringify({ run: { run_id: "r", status: "KILLED" }, error: null });
    expect(await shown(silent, { status: undefined })).toBe(SENTENCE);
  });

  it("is the gateway's sentence where the server said nothing that is text", async () => {
    expect(await shown("")).toBe(SENTENCE);
    expect(await shown("\0\u0001", { contentType: "application/octet-stream" })).toBe(SENTENCE);
    expect(await shown("x", { contentType: undefined })).toBe(SENTENCE);
    expect(await shown("{}", { sizeBytes: 50_000_000 })).toBe(SENTENCE);
    expect(await shown("x", {}, { result: undefined })).toBe(SENTENCE);
    expect(await shown("x", {}, { result: { sizeBytes: 1, isForgotten: true } })).toBe(SENTENCE);
    expect(await shown("x", {}, { result: undefined, error: undefined })).toBeNull();
  });

  it("is the gateway's sentence where the result cannot be read just now", async () => {
    const error = { code: "SERVER_REJECTED", message: SENTENCE };
    const message = await messageOf({
      get: async () => taskRecord({ state: "failed", error, result: { sizeBytes: 1 } }),
      result: async () => {
        throw new GatewayError("STORE_UNAVAILABLE", "away");
      },
    });
    expect(message).toBe(SENTENCE);
  });

  it("is nothing of a task that did not fail", async () => {
    for (const state of ["succeeded", "cancelled", "running"] as const) {
      expect(await shown("{}", {}, { state })).toBeNull();
    }
  });
});
