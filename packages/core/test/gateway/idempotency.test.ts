import { describe, expect, it } from "vitest";
import type { ByteStream } from "../../src/contracts/common.ts";
import { GatewayError } from "../../src/errors.ts";
import { createGateway } from "../../src/gateway.ts";
import type { Gateway, GatewayOptions, SubmitRequest } from "../../src/gateway-api.ts";
import { memoryDiscovery, memoryObjectStore, memoryProtocol } from "../../src/memory/index.ts";

const encoder = new TextEncoder();

async function open(options: Partial<GatewayOptions> = {}): Promise<Gateway> {
  const protocol = memoryProtocol({
    handle: (call) => call.text(),
    operations: { echo: { repeatable: true }, other: { repeatable: true } },
  });
  const discovery = memoryDiscovery([
    { id: "s1", url: "memory:", models: ["m", "n"], protocol: "memory", state: "ready" },
  ]);
  const gateway = createGateway({ discovery, protocols: [protocol], inlineBytes: 8, ...options });
  await gateway.start();
  return gateway;
}

async function* pieces(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = encoder.encode(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const ask = (parts: Partial<SubmitRequest> = {}): SubmitRequest => ({
  model: "m",
  operation: "echo",
  payload: "hello",
  idempotencyKey: "key-1",
  ...parts,
});

describe("an idempotency key", () => {
  it("gives the same request the task that it made at first, however its bytes come", async () => {
    const objects = memoryObjectStore();
    const gateway = await open({ objects });
    const text = "a text above the inline size";
    const first = await gateway.submit(ask({ payload: text }));
    const forms: (string | ByteStream | Uint8Array)[] = [
      text,
      encoder.encode(text),
      pieces(text, 3),
      pieces(text, 64),
    ];
    for (const payload of forms) expect((await gateway.submit(ask({ payload }))).id).toBe(first.id);
    expect((await gateway.wait(first.id)).state).toBe("succeeded");
    expect((await gateway.submit(ask({ payload: text }))).state).toBe("succeeded");
    expect((await gateway.list()).items).toHaveLength(1);
    expect((await objects.list("payloads/")).items).toHaveLength(1);
    await gateway.stop();
  });

  it("is refused for anything else that is asked for", async () => {
    const gateway = await open();
    await gateway.submit(ask());
    for (const parts of [{ payload: "other" }, { query: "a=1" }]) {
      await expect(gateway.submit(ask(parts))).rejects.toMatchObject({
        code: "IDEMPOTENCY_MISMATCH",
        details: { field: "idempotencyKey" },
      });
    }
    expect((await gateway.list()).items).toHaveLength(1);
    await gateway.stop();
  });

  it("is one of its owner, model and operation", async () => {
    const gateway = await open();
    const others = [
      {},
      { owner: "anna" },
      { model: "n" },
      { operation: "other" },
      { idempotencyKey: "key-2" },
    ];
    const ids = await Promise.all(others.map(async (parts) => (await gateway.submit(ask(parts))).id));
    expect(new Set(ids).size).toBe(others.length);
    await gateway.stop();
  });

  it("tells a second request that the first is still being received, and frees the key when that breaks off", async () => {
    const gateway = await open();
    let breakOff: (error: Error) => void = () => {};
    async function* slow(): AsyncGenerator<Uint8Array> {
      yield encoder.encode("hel");
      await new Promise((_, reject) => {
        breakOff = reject;
      });
    }
    const receiving = gateway.submit(ask({ payload: slow() }));
    const lost = expect(receiving).rejects.toThrow("hung up");
    await new Promise((resolve) => setImmediate(resolve));
    await expect(gateway.submit(ask({ payload: pieces("hello", 1) }))).rejects.toMatchObject({
      code: "IDEMPOTENCY_IN_PROGRESS",
      details: { retryAfterMs: 1000 },
    });
    breakOff(new Error("hung up"));
    await lost;
    expect((await gateway.submit(ask({ payload: pieces("hello", 1) }))).state).toBe("pending");
    expect((await gateway.list()).items).toHaveLength(1);
    await gateway.stop();
  });

  it("makes one task of two in a batch, and of any number at once", async () => {
    const gateway = await open();
    const results = await gateway.submit([ask(), ask(), ask({ payload: "other" })]);
    expect(results.map((result) => result.ok && result.isRepeat)).toEqual([false, true, false]);
    const many = await Promise.all(Array.from({ length: 50 }, () => gateway.submit(ask())));
    expect(new Set(many.map(({ id }) => id)).size).toBe(1);
    const submitted: string[] = [];
    gateway.events.on("task:submitted", ({ id }) => submitted.push(id));
    await gateway.submit(ask());
    expect(submitted).toEqual([]);
    await gateway.stop();
  });

  it("has a form", async () => {
    const gateway = await open();
    for (const key of ["", " a", "a ", "ä", "a\nb", "x".repeat(256), 7 as unknown as string]) {
      await expect(gateway.submit(ask({ idempotencyKey: key }))).rejects.toMatchObject({
        code: "INVALID_REQUEST",
        details: { field: "idempotencyKey" },
      });
    }
    for (const key of ["a", "x".repeat(255), "two words", '"quoted"']) {
      expect((await gateway.submit(ask({ idempotencyKey: key }))).state).toBe("pending");
    }
    await gateway.stop();
  });
});

describe("a refused request", () => {
  it("lets go of its stream", async () => {
    const gateway = await open();
    let returned = 0;
    const payload = {
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: true as const, value: undefined }),
        return: async () => {
          returned += 1;
          return { done: true as const, value: undefined };
        },
      }),
    };
    for (const parts of [
      { model: "none" },
      { operation: "none" },
      { priority: 11 },
      { idempotencyKey: "" },
    ]) {
      await expect(gateway.submit(ask({ payload, ...parts }))).rejects.toBeInstanceOf(GatewayError);
    }
    expect(returned).toBe(4);
    await gateway.stop();
  });
});

describe("a batch", () => {
  it("loses only the item whose payload breaks off", async () => {
    const objects = memoryObjectStore();
    const gateway = await open({ objects });
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield encoder.encode("0123456789");
      throw new Error("the disk is gone");
    }
    const results = await gateway.submit([
      { model: "m", operation: "echo", payload: "a text above the inline size" },
      { model: "m", operation: "echo", payload: broken() },
    ]);
    expect(results[0]?.ok).toBe(true);
    expect(results[1]).toMatchObject({
      ok: false,
      error: { code: "INVALID_REQUEST", details: { field: "payload" } },
    });
    expect((await objects.list("payloads/")).items).toHaveLength(1);
    await gateway.stop();
  });
});
