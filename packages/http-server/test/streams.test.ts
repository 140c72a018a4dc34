import { setTimeout as sleep } from "node:timers/promises";
import type { Gateway, SubmitRequest, TaskResult } from "@modelgate/core";
import { afterEach, describe, expect, it } from "vitest";
import type { HttpOptions } from "../src/index.ts";
import { handMadeGateway, taskRecord } from "./support/hand-made-gateway.ts";
import { HOSTS } from "./support/hosts.ts";
import { call, openSocket } from "./support/http-client.ts";
import { startModelServer } from "./support/model-server.ts";
import { startGateway } from "./support/real-gateway.ts";

const MIB = 1024 * 1024;
const target = "/models/nlp/tasks/process";

describe.each(HOSTS)("streams over $host", ({ open }) => {
  const closers: (() => Promise<unknown>)[] = [];

  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  /** Reads every payload to its end, piece by piece, and keeps only what came of it. */
  async function swallowing(options?: HttpOptions): Promise<{
    url: string;
    outcomes: (number | string)[];
    pieces: number[];
    errors: unknown[];
  }> {
    const outcomes: (number | string)[] = [];
    const pieces: number[] = [];
    const errors: unknown[] = [];
    const submit = async ({ payload }: SubmitRequest) => {
      if (payload instanceof Uint8Array) outcomes.push("whole");
      else {
        let sizeBytes = 0;
        try {
          for await (const chunk of payload as AsyncIterable<Uint8Array>) {
            sizeBytes += chunk.byteLength;
            pieces.push(chunk.byteLength);
          }
          outcomes.push(sizeBytes);
        } catch (error) {
          outcomes.push((error as Error).name);
          // A store wraps what it does not know.
          throw new Error("the store failed", { cause: error });
        }
      }
      return taskRecord();
    };
    const gateway = handMadeGateway({ submit: submit as Gateway["submit"] });
    const server = await open(gateway, { onError: (error) => errors.push(error), ...options });
    closers.push(server.close);
    return { url: server.url, outcomes, pieces, errors };
  }

  const post = (url: string, body: Uint8Array, headers: Record<string, string> = {}) =>
    call(url, target, { method: "POST", headers: { "content-type": "text/plain", ...headers }, body });

  it("takes a large body in pieces and never whole", async () => {
    const { url, outcomes, pieces } = await swallowing();
    expect((await post(url, Buffer.alloc(20 * MIB))).status).toBe(200);
    expect((await post(url, Buffer.alloc(20 * MIB), { "transfer-encoding": "chunked" })).status).toBe(200);
    expect(outcomes).toEqual([20 * MIB, 20 * MIB]);
    expect(Math.max(...pieces)).toBeLessThanOrEqual(MIB);
  });

  it("takes a small body whole", async () => {
    const { url, outcomes } = await swallowing({ inlineBytes: 100 });
    await post(url, Buffer.alloc(100));
    await post(url, Buffer.alloc(100), { "transfer-encoding": "chunked" });
    await post(url, Buffer.alloc(101));
    expect(outcomes).toEqual(["whole", "whole", 101]);
  });

  it("refuses a body that is announced as too large before any of it was read", async () => {
    const { url, outcomes } = await swallowing({ maxBodyBytes: 1000 });
    const answer = await post(url, Buffer.alloc(1001));
    expect(answer.status).toBe(413);
    expect(answer.json).toMatchObject({
      detail: "the body is larger than the 1000 bytes allowed",
      code: "PAYLOAD_TOO_LARGE",
    });
    expect((await post(url, Buffer.alloc(1000))).status).toBe(200);
    expect(outcomes).toHaveLength(1);
  });

  it("refuses a body that turns out to be too large, also when the store hides why it stopped", async () => {
    const { url, outcomes, errors } = await swallowing({ maxBodyBytes: 2 * MIB });
    const answer = await post(url, Buffer.alloc(3 * MIB), { "transfer-encoding": "chunked" });
    expect(answer.status).toBe(413);
    expect(outcomes).toEqual(["GatewayError"]);
    expect(errors).toEqual([]);
  });

  it("lets go of a body whose client hangs up in the middle, and complains to nobody", async () => {
    const { url, outcomes, pieces, errors } = await swallowing();
    for (const framing of ["content-length: 1000000", "transfer-encoding: chunked"]) {
      const socket = await openSocket(url);
      socket.write(`POST ${target} HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\n${framing}\r\n\r\n`);
      if (framing.startsWith("transfer")) socket.write("20000\r\n");
      socket.write(Buffer.alloc(100_000));
      pieces.length = 0;
      await expect.poll(() => pieces.length).toBeGreaterThan(0);
      const before = outcomes.length;
      socket.destroy();
      await expect.poll(() => outcomes.length).toBe(before + 1);
    }
    expect(outcomes).toEqual(["ClientGone", "ClientGone"]);
    await sleep(20);
    expect(errors).toEqual([]);
  });

  it("streams a large result in both directions", async () => {
    const server = await startModelServer();
    const real = await startGateway({ nlp: server.url });
    const opened = await open(real.gateway);
    closers.push(opened.close, real.close, server.close);
    const answer = await call(opened.url, target, {
      method: "POST",
      headers: { "content-type": "text/plain", prefer: "wait=15" },
      body: `large:${5 * MIB}`,
    });
    expect(answer.status).toBe(200);
    expect(answer.headers["content-length"]).toBe(String(5 * MIB));
    expect(answer.body.equals(Buffer.alloc(5 * MIB, "x"))).toBe(true);
    const download = await call(opened.url, `/tasks/${answer.headers["x-task-uuid"]}?download=true`);
    expect(download.body.equals(answer.body)).toBe(true);
  });

  /** A result of 125 MiB, which counts its reads and tells when it was let go. */
  function largeResult(): { gateway: Gateway; reads: () => number; freed: Promise<void> } {
    let reads = 0;
    let free = (): void => {};
    const freed = new Promise<void>((resolve) => {
      free = resolve;
    });
    const body = async function* (): AsyncGenerator<Uint8Array> {
      try {
        // Far beyond what sockets hold, and little enough for a machine on which this test fails.
        while (reads < 2_000) {
          reads += 1;
          yield Buffer.alloc(64 * 1024);
        }
      } finally {
        free();
      }
    };
    const task = taskRecord({ state: "succeeded" }) as TaskResult["task"];
    const result = async () => ({ task, sizeBytes: 1e12, body: body() });
    return { gateway: handMadeGateway({ result }), reads: () => reads, freed };
  }

  it("reads a result only as fast as the client does, and lets it go when the client hangs up", async () => {
    const { gateway, reads, freed } = largeResult();
    const opened = await open(gateway);
    closers.push(opened.close);
    const socket = await openSocket(opened.url);
    socket.pause();
    socket.write("GET /tasks/task-1?download=true HTTP/1.1\r\nhost: x\r\n\r\n");
    await expect.poll(reads).toBeGreaterThan(1);
    let before = -1;
    await expect
      .poll(
        () => {
          const isStill = reads() === before;
          before = reads();
          return isStill;
        },
        { interval: 100 },
      )
      .toBe(true);
    expect(reads() * 64 * 1024).toBeLessThan(40 * MIB);
    socket.destroy();
    await freed;
  });

  it("lets a result go of which only the head was asked for", async () => {
    let returned = false;
    const task = taskRecord({ state: "succeeded" }) as TaskResult["task"];
    const body = {
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: false as const, value: Buffer.alloc(10) }),
        return: async () => {
          returned = true;
          return { done: true as const, value: undefined };
        },
      }),
    };
    const opened = await open(handMadeGateway({ result: async () => ({ task, sizeBytes: 10, body }) }));
    closers.push(opened.close);
    const answer = await call(opened.url, "/tasks/task-1?download=true", { method: "HEAD" });
    expect(answer.status).toBe(200);
    expect(answer.text).toBe("");
    await expect.poll(() => returned).toBe(true);
  });

  it("breaks the connection off when a result cannot be read to its end", async () => {
    const task = taskRecord({ state: "succeeded" }) as TaskResult["task"];
    const body = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from("half");
      await sleep(20);
      throw new Error("the disk broke");
    };
    const opened = await open(
      handMadeGateway({ result: async () => ({ task, sizeBytes: 8, body: body() }) }),
    );
    closers.push(opened.close);
    await expect(call(opened.url, "/tasks/task-1?download=true")).rejects.toThrow(/aborted|ECONNRESET/);
  });
});
