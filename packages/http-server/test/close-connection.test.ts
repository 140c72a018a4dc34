import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Gateway } from "@modelgate/core";
import { afterEach, describe, expect, it } from "vitest";
import { createNodeHandler, serveHttp } from "../src/node.ts";
import { handMadeGateway, taskRecord } from "./support/hand-made-gateway.ts";
import { openSocket } from "./support/http-client.ts";

type Agents = readonly (string | RegExp)[] | undefined;

const gateway = handMadeGateway({
  submit: (async () => taskRecord()) as unknown as Gateway["submit"],
  result: async () => ({
    task: { ...taskRecord(), state: "succeeded" } as never,
    sizeBytes: 300_000,
    body: (async function* () {
      for (let sent = 0; sent < 3; sent += 1) yield Buffer.alloc(100_000, "x");
    })(),
  }),
});

describe("a connection", () => {
  const closers: (() => Promise<unknown>)[] = [];

  async function opened(closeConnectionFor?: Agents): Promise<Socket> {
    const server = await serveHttp(gateway, { port: 0, closeConnectionFor });
    closers.push(() => server.close({ drainMs: 0 }));
    return await openSocket(server.url);
  }

  /** Sends, and resolves with all that came until the connection closed, or until nothing more came for a while. */
  async function exchange(
    socket: Socket,
    request: string,
    closes = true,
  ): Promise<{ text: string; isClosed: boolean }> {
    let text = "";
    let isClosed = false;
    let quiet: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      socket.on("data", (chunk) => {
        text += chunk.toString("latin1");
        clearTimeout(quiet);
        quiet = setTimeout(resolve, closes ? 5_000 : 100);
      });
      socket.once("end", () => {
        isClosed = true;
        resolve();
      });
      socket.write(request);
    });
    clearTimeout(quiet);
    socket.removeAllListeners("data");
    return { text, isClosed };
  }

  const get = (agent: string, path = "/"): string =>
    `GET ${path} HTTP/1.1\r\nHost: h\r\nUser-Agent: ${agent}\r\n\r\n`;

  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  it("is closed after each answer to the client that fails on one that stays open", async () => {
    const socket = await opened();
    const { text, isClosed } = await exchange(socket, get("python-httpx/0.28.1"));
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(text).toMatch(/\r\nconnection: close\r\n/i);
    expect(text).toContain("Enter the cult");
    expect(isClosed).toBe(true);
  });

  it.each([
    ["a refusal", get("python-httpx/0.28.1", "/nothing"), 404, /"detail":"Not Found"/],
    ["a large download", get("python-httpx/0.28.1", "/tasks/task-1?download=true"), 200, /x{300000}$/],
    [
      "a submit",
      "POST /models/nlp/tasks/process HTTP/1.1\r\nHost: h\r\nUser-Agent: python-httpx/0.28.1\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\ntext",
      200,
      /Task submitted successfully/,
    ],
  ])("is closed after %s, which comes whole", async (_, request, status, pattern) => {
    const { text, isClosed } = await exchange(await opened(), request);
    expect(text).toContain(`HTTP/1.1 ${status} `);
    expect(text).toMatch(/\r\nconnection: close\r\n/i);
    expect(text).toMatch(pattern);
    expect(isClosed).toBe(true);
  });

  it("stays open for others", async () => {
    const socket = await opened();
    for (const agent of ["curl/8.5.0", "my python-httpx/1", "node"]) {
      const { text, isClosed } = await exchange(socket, get(agent), false);
      expect(text).toContain("HTTP/1.1 200 OK");
      expect(text).not.toMatch(/connection: close/i);
      expect(isClosed).toBe(false);
    }
    const { text } = await exchange(socket, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", false);
    expect(text).not.toMatch(/connection: close/i);
    socket.destroy();
  });

  it.each<readonly [string, Agents, string, boolean]>([
    ["by its beginning", ["odd/", "agents/1"], "agents/1.5 (linux)", true],
    ["by an expression, each time", [/python/g], "a python", true],
    ["not for the default when others are given", ["odd/"], "python-httpx/0.28.1", false],
    ["for nobody", [], "python-httpx/0.28.1", false],
  ])("is closed %s", async (_, agents, agent, closes) => {
    for (let round = 0; round < 2; round += 1) {
      const socket = await opened(agents);
      expect((await exchange(socket, get(agent), closes)).isClosed).toBe(closes);
      socket.destroy();
    }
  });

  it("of somebody else's server is closed only where that is asked for", async () => {
    for (const [closeConnectionFor, closes] of [
      [undefined, false],
      [["python-httpx/"], true],
    ] as const) {
      const server: Server = createServer(createNodeHandler(gateway, { closeConnectionFor }));
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      closers.push(
        async () => server.closeAllConnections(),
        async () => server.close(),
      );
      const socket = await openSocket(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
      expect((await exchange(socket, get("python-httpx/0.28.1"), closes)).isClosed).toBe(closes);
      socket.destroy();
    }
  });

  it("cannot be closed for a user agent of no characters, which all begin with", async () => {
    await expect(serveHttp(gateway, { port: 0, closeConnectionFor: [""] })).rejects.toMatchObject({
      code: "INVALID_OPTIONS",
      details: { field: "closeConnectionFor" },
    });
  });
});
