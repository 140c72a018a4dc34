import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import type { ModelServer } from "../../src/contracts/discovery.ts";
import type { HeaderList, PassedRequest, UpgradeOutcome } from "../../src/contracts/server-protocol.ts";
import { bytesOf, cannedWire, modelServer, open, pieces, rawWire } from "./wire.ts";

const ASKING: HeaderList = [
  ["Connection", "keep-alive, Upgrade, X-Hop"],
  ["Upgrade", "websocket"],
  ["X-Hop", "1"],
  ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="],
  ["Sec-WebSocket-Version", "13"],
];
const ACCEPTED =
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3p\r\n\r\n";

async function upgrade(
  server: ModelServer,
  overrides: Partial<PassedRequest> = {},
  signal?: AbortSignal,
): Promise<UpgradeOutcome> {
  const { pass } = open({ connectTimeoutMs: 300 });
  if (pass === undefined) throw new Error("it passes nothing");
  const request = { server, method: "GET", path: "/ws", query: "a=1", headers: ASKING, timeoutMs: 2000 };
  return await pass.upgrade({ ...request, ...overrides }, { signal });
}

/** Accepts with the first bytes right behind its answer, and sends back what comes then. */
async function echoing(first = "") {
  const heads: string[] = [];
  const wire = await rawWire((socket: Socket) => {
    socket.once("data", (head: Buffer) => {
      heads.push(head.toString("latin1"));
      socket.write(ACCEPTED + first);
      socket.pipe(socket);
    });
  });
  return { ...wire, heads };
}

function connectionOf(outcome: UpgradeOutcome) {
  if (outcome.kind !== "upgraded") throw new Error(`not upgraded: ${outcome.kind}`);
  return outcome.connection;
}

describe("an upgrade", () => {
  it("reaches the server with what it asks for, and hands on the bare connection", async () => {
    const { server, heads } = await echoing("hello ");
    const locked = { ...server, url: `${server.url.replace("//", "//me:pass@")}/base` };
    const outcome = await upgrade(locked);
    expect(heads[0]?.split("\r\n")).toEqual([
      "GET /base/ws?a=1 HTTP/1.1",
      `Host: ${new URL(server.url).host}`,
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      "Sec-WebSocket-Version: 13",
      "authorization: Basic bWU6cGFzcw==",
      "Connection: Upgrade",
      "Upgrade: websocket",
      "",
      "",
    ]);
    const connection = connectionOf(outcome);
    expect(outcome).toMatchObject({
      headers: [
        ["Upgrade", "websocket"],
        ["Connection", "Upgrade"],
        ["Sec-WebSocket-Accept", "s3p"],
      ],
    });
    connection.write("you");
    connection.end();
    expect((await bytesOf(connection)).toString()).toBe("hello you");
  });

  it("ends with its signal, with its protocol, and after silence", async () => {
    for (const end of ["abort", "close", "silence"]) {
      const { server, sockets } = await echoing();
      const controller = new AbortController();
      const protocol = open();
      const request = { server, method: "GET", path: "/ws", query: "", headers: ASKING, timeoutMs: 2000 };
      const idleTimeoutMs = end === "silence" ? 40 : 60_000;
      const outcome = await protocol.pass?.upgrade(
        { ...request, idleTimeoutMs },
        { signal: controller.signal },
      );
      if (outcome === undefined) throw new Error("it passes nothing");
      const closed = once(connectionOf(outcome), "close");
      if (end === "abort") controller.abort(new Error("enough"));
      if (end === "close") await protocol.close();
      await closed;
      await expect.poll(() => sockets[0]?.destroyed).toBe(true);
    }
  });

  it("that the server does not take is answered as it answers, over a connection that ends", async () => {
    const { server, sockets } = await cannedWire("HTTP/1.1 403 No\r\nContent-Length: 2\r\nX-A: 1\r\n\r\nno");
    const outcome = await upgrade(server);
    if (outcome.kind !== "answered") throw new Error(outcome.kind);
    expect(outcome.answer).toMatchObject({ status: 403, headers: [["X-A", "1"]], sizeBytes: 2 });
    expect((await bytesOf(outcome.answer.body)).toString()).toBe("no");
    await expect.poll(() => sockets[0]?.destroyed).toBe(true);
  });

  it("is unsent without a connection, and broken without an answer", async () => {
    const payload = pieces("x");
    expect(await upgrade(modelServer("http://127.0.0.1:1"), { payload })).toEqual({ kind: "unsent" });
    const reset = await rawWire((socket) => socket.once("data", () => socket.destroy()));
    expect(await upgrade(reset.server)).toEqual({ kind: "broken", reason: "reset" });
    const nonsense = await cannedWire("nonsense\r\n\r\n");
    expect(await upgrade(nonsense.server)).toEqual({ kind: "broken", reason: "bad_gateway" });
    const silent = await rawWire((socket) => socket.resume());
    expect(await upgrade(silent.server, { timeoutMs: 40 })).toEqual({ kind: "broken", reason: "timeout" });
    await expect.poll(() => silent.sockets[0]?.destroyed).toBe(true);
    const short = await cannedWire("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf", { end: true });
    const outcome = await upgrade(short.server);
    if (outcome.kind !== "answered") throw new Error(outcome.kind);
    await expect(bytesOf(outcome.answer.body)).rejects.toMatchObject({ code: "SERVER_BROKE_OFF" });
  });

  it("is stopped while it waits for its answer", async () => {
    const { server, sockets } = await rawWire((socket) => socket.resume());
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("enough")), 30);
    await expect(upgrade(server, {}, controller.signal)).rejects.toThrow("enough");
    await expect.poll(() => sockets[0]?.destroyed).toBe(true);
  });

  it.each([
    ["to nothing", { headers: [] }],
    ["to HTTP/2, over which every path could be asked for", { headers: [["Upgrade", "h2c"]] as HeaderList }],
    ["to one of several", { headers: [["Upgrade", "websocket, h2c"]] as HeaderList }],
    ["of a POST", { method: "POST" }],
  ])("is refused %s", async (_what, overrides) => {
    const { server, heads } = await echoing();
    await expect(upgrade(server, overrides)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    expect(heads).toEqual([]);
  });
});
