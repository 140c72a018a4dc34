import { type Gateway, GatewayError, type SubmitRequest } from "@modelgate/core";
import { afterEach, describe, expect, it } from "vitest";
import { readIdempotencyKey } from "../src/idempotency-key.ts";
import { type DurableGateway, startDurableGateway } from "./support/durable-gateway.ts";
import { handMadeGateway, taskRecord } from "./support/hand-made-gateway.ts";
import { HOSTS } from "./support/hosts.ts";
import { type Answer, call, openSocket, readUntil } from "./support/http-client.ts";
import { type ModelServer, startModelServer } from "./support/model-server.ts";

const target = "/models/nlp/tasks/process";

describe.each(HOSTS)("Idempotency-Key over $host", ({ open }) => {
  const closers: (() => Promise<unknown>)[] = [];

  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  async function withServer(): Promise<{ url: string; real: DurableGateway; server: ModelServer }> {
    const server = await startModelServer();
    const real = await startDurableGateway({ nlp: server.url });
    const host = await open(real.gateway);
    closers.push(host.close, real.close, server.close);
    return { url: host.url, real, server };
  }

  function submit(
    url: string,
    key: string,
    body: string | Uint8Array = "a text",
    headers: Record<string, string> = {},
    path = target,
  ): Promise<Answer> {
    const all = { "content-type": "text/plain", "idempotency-key": key, ...headers };
    return call(url, path, { method: "POST", headers: all, body });
  }

  it.each([
    ["small", "a text"],
    ["large", Buffer.alloc(200_000, "note ")],
  ])("gives the same %s request the same task, in both of its forms", async (_size, body) => {
    const { url, real, server } = await withServer();
    const first = await submit(url, "key-1", body);
    expect(first.status).toBe(200);
    await real.gateway.wait(first.json.uuid, { timeoutMs: 10_000 });
    for (const key of ["key-1", '"key-1"']) {
      const again = await submit(url, key, body);
      expect(again.status).toBe(200);
      expect(again.json).toEqual(first.json);
    }
    const waited = await submit(url, "key-1", body, { prefer: "wait=10" });
    expect(waited.headers["x-task-uuid"]).toBe(first.json.uuid);
    expect(waited.json).toEqual({ length: body.length });
    expect(server.received).toHaveLength(1);
    await expect.poll(() => real.kept()).toEqual({ tasks: 1, files: body.length > 32_768 ? 1 : 0 });
  });

  it("refuses another request under the same key, and keeps nothing of it", async () => {
    const { url, real } = await withServer();
    expect((await submit(url, "key-1")).status).toBe(200);
    for (const [body, path] of [
      ["another text", target],
      ["a text", `${target}?a=1`],
      [Buffer.alloc(200_000), target],
    ] as const) {
      const answer = await submit(url, "key-1", body, {}, path);
      expect(answer.status).toBe(422);
      expect(answer.json).toMatchObject({
        code: "IDEMPOTENCY_MISMATCH",
        type: "urn:modelgate:error:idempotency-mismatch",
        detail: [{ loc: ["header", "idempotency-key"], input: null }],
      });
      expect(answer.text).not.toContain("key-1");
    }
    expect((await submit(url, "key-1", "a text", {}, "/models/nlp/tasks/redact")).status).toBe(200);
    await expect.poll(() => real.kept()).toEqual({ tasks: 2, files: 0 });
  });

  it("asks to come back while the first request is still being received", async () => {
    const { url, real } = await withServer();
    const socket = await openSocket(url);
    const size = 300_000;
    socket.write(
      `POST ${target} HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\nidempotency-key: key-1\r\ncontent-length: ${size}\r\n\r\n`,
    );
    socket.write(Buffer.alloc(size / 2));
    await expect.poll(async () => (await submit(url, "key-1", Buffer.alloc(size))).status).toBe(409);
    const early = await submit(url, "key-1", Buffer.alloc(size));
    expect(early.json.code).toBe("IDEMPOTENCY_IN_PROGRESS");
    expect(Number(early.headers["retry-after"])).toBeGreaterThan(0);
    socket.write(Buffer.alloc(size / 2));
    const first = await readUntil(socket, /submitted/);
    socket.destroy();
    const again = await submit(url, "key-1", Buffer.alloc(size));
    expect(first).toContain(again.json.uuid);
    await expect.poll(() => real.kept()).toEqual({ tasks: 1, files: 1 });
  });

  it("forgets a first request that was never received", async () => {
    const { url, real } = await withServer();
    const socket = await openSocket(url);
    socket.write(
      `POST ${target} HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\nidempotency-key: key-1\r\ncontent-length: 300000\r\n\r\n`,
    );
    socket.write(Buffer.alloc(150_000));
    await expect.poll(async () => (await submit(url, "key-1", Buffer.alloc(100_000))).status).toBe(409);
    socket.destroy();
    await expect.poll(async () => (await submit(url, "key-1", Buffer.alloc(100_000))).status).toBe(200);
    await expect.poll(() => real.kept()).toEqual({ tasks: 1, files: 1 });
  });

  it.each(["", " ", '"', '""', '"a', 'a"b\u00e9', "a b", "x".repeat(256), `"${"x".repeat(256)}"`, '"a\\b"'])(
    "refuses the key %j by its name",
    async (key) => {
      const submitted: SubmitRequest[] = [];
      const keep = (async (request: SubmitRequest) => {
        submitted.push(request);
        return taskRecord();
      }) as unknown as Gateway["submit"];
      const host = await open(handMadeGateway({ submit: keep }));
      closers.push(host.close);
      const answer = await submit(host.url, key);
      expect(answer.status).toBe(422);
      expect(answer.json.detail).toEqual([
        {
          type: "value_error",
          loc: ["header", "idempotency-key"],
          msg: "The key should have 1 to 255 visible ASCII characters, as they are or in quotes",
          input: null,
        },
      ]);
      expect(submitted).toEqual([]);
    },
  );

  it("says when to come back, whatever the gateway says", async () => {
    const host = await open(
      handMadeGateway({
        submit: async () => {
          throw new GatewayError("IDEMPOTENCY_IN_PROGRESS", "not yet", { details: { retryAfterMs: 1_001 } });
        },
      }),
    );
    closers.push(host.close);
    const answer = await submit(host.url, "key-1");
    expect(answer.status).toBe(409);
    expect(answer.headers["retry-after"]).toBe("2");
  });
});

describe("an idempotency key", () => {
  it.each([
    [undefined, undefined],
    ["8e03978e-40d5-43e8-bc93-6894a57f9324", "8e03978e-40d5-43e8-bc93-6894a57f9324"],
    ['"8e03978e"', "8e03978e"],
    ['"a\\"b\\\\c"', 'a"b\\c'],
    ['a"b', 'a"b'],
    ["x".repeat(255), "x".repeat(255)],
    [`"${"x".repeat(255)}"`, "x".repeat(255)],
  ])("is read from %j", (text, key) => {
    expect(readIdempotencyKey(text)).toEqual({ key, isBad: false });
  });
});
