import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { type Gateway, GatewayError, type SubmitRequest } from "@modelgate/core";
import { afterEach, describe, expect, it } from "vitest";
import { type HttpServer, serveHttp } from "../src/node.ts";
import { handMadeGateway, operationsOf, taskRecord } from "./support/hand-made-gateway.ts";
import { openSocket, readUntil } from "./support/http-client.ts";

const MIB = 1024 * 1024;
const target = "/models/nlp/tasks/process";

describe("a client that is answered before it has sent everything", () => {
  let server: HttpServer | undefined;

  afterEach(() => server?.close({ drainMs: 0 }));

  async function swallowing(options: { maxBodyBytes: number }): Promise<{ url: string; outcomes: number[] }> {
    const outcomes: number[] = [];
    const submit = async ({ payload }: SubmitRequest) => {
      let sizeBytes = 0;
      for await (const chunk of payload as AsyncIterable<Uint8Array>) sizeBytes += chunk.byteLength;
      outcomes.push(sizeBytes);
      return taskRecord();
    };
    server = await serveHttp(handMadeGateway({ submit: submit as Gateway["submit"] }), {
      ...options,
      port: 0,
    });
    return { url: server.url, outcomes };
  }

  it("is asked for a held-back body only when it is wanted", async () => {
    const { url, outcomes } = await swallowing({ maxBodyBytes: 50_000 });
    for (const [length, pattern] of [
      [60_000, /^HTTP\/1.1 413 /],
      [40_000, /^HTTP\/1.1 100 Continue/],
    ] as const) {
      const socket = await openSocket(url);
      socket.write(
        `POST ${target} HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ncontent-length: ${length}\r\nexpect: 100-continue\r\n\r\n`,
      );
      expect(await readUntil(socket, /\r\n\r\n/)).toMatch(pattern);
      if (length === 40_000) {
        socket.write(Buffer.alloc(length));
        expect(await readUntil(socket, /submitted/)).toMatch(/^HTTP\/1.1 200 /);
      }
      socket.destroy();
    }
    expect(outcomes).toEqual([40_000]);
  });

  it.each([
    ["the body is refused in its middle", "process_bulk", "application/json", 422],
    ["nothing of the body was wanted", "process", "text/plain", 429],
  ])("can go on with its connection when %s", async (_why, task, type, status) => {
    const submit = async ({ payload }: SubmitRequest): Promise<never> => {
      if (status === 422) for await (const _ of payload as AsyncIterable<Uint8Array>);
      throw new GatewayError("QUEUE_FULL", "too much waits");
    };
    const operations = () => operationsOf({ process: "text/plain", process_bulk: "application/json" });
    const gateway = handMadeGateway({ submit: submit as unknown as Gateway["submit"], operations });
    server = await serveHttp(gateway, { port: 0 });
    for (const size of [100_000, 900_000]) {
      const socket = await openSocket(server.url);
      socket.write(
        `POST /models/nlp/tasks/${task} HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\ncontent-length: ${size}\r\n\r\n`,
      );
      socket.write(Buffer.alloc(size, "x"));
      socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
      const text = await readUntil(socket, /Enter the cult/);
      expect(text.match(/HTTP\/1.1 \d+/g)).toEqual([`HTTP/1.1 ${status}`, "HTTP/1.1 200"]);
      socket.destroy();
    }
  });

  it("finds its answer, although it asked for the connection's end", async () => {
    const submit = async (): Promise<never> => {
      throw new GatewayError("QUEUE_FULL", "too much waits");
    };
    server = await serveHttp(handMadeGateway({ submit }), { port: 0 });
    const socket = await openSocket(server.url);
    socket.pause();
    socket.write(
      `POST ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: 200000\r\n\r\n`,
    );
    // What arrives at a connection that is closed already makes the system forget what was not read yet.
    for (let piece = 0; piece < 4; piece += 1) {
      socket.write(Buffer.alloc(50_000));
      await sleep(50);
    }
    expect(await readUntil(socket, /too much waits/)).toMatch(/^HTTP\/1.1 429 /);
    socket.destroy();
  });

  it("finds its answer, although the connection is closed afterwards", async () => {
    const { url } = await swallowing({ maxBodyBytes: 1000 });
    const socket = await openSocket(url);
    const size = 30 * MIB;
    socket.write(
      `POST ${target} HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ncontent-length: ${size}\r\n\r\n`,
    );
    for (let sent = 0; sent < 8 * MIB; sent += MIB) {
      if (!socket.write(Buffer.alloc(MIB))) await Promise.race([once(socket, "drain"), sleep(200)]);
    }
    expect(await readUntil(socket, /allowed/)).toMatch(/^HTTP\/1.1 413 [\s\S]*connection: close/i);
    await once(socket.resume(), "close");
  });
});
