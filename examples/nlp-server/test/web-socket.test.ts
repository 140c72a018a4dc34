import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { WebSocket } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Running, start, until } from "./running.ts";

const note = "😀 John Smith was seen in Berlin.";
const marked = "😀 [Person: John Smith] was seen in [Place: Berlin].";
const handshake = [
  "GET /stream/ws HTTP/1.1",
  "Host: a",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

let running: Running;

beforeAll(async () => {
  running = await start({ streamable: true, faults: true });
});

afterAll(() => running.close());

/** A client of the installed library. */
async function open(
  of = running,
): Promise<{ socket: WebSocket; next(): Promise<string>; code(): Promise<number> }> {
  const socket = new WebSocket(`${of.url.replace("http", "ws")}/stream/ws`);
  const texts: string[] = [];
  let closedWith: number | undefined;
  socket.addEventListener("message", ({ data }) => texts.push(String(data)));
  socket.addEventListener("close", ({ code }) => {
    closedWith = code;
  });
  await Promise.race([
    once(socket, "open"),
    once(socket, "error").then(() => {
      throw new Error("The handshake was refused.");
    }),
  ]);
  return {
    socket,
    next: async () => {
      await until(() => texts.length > 0);
      return texts.shift() ?? "";
    },
    code: async () => {
      await until(() => closedWith !== undefined);
      return closedWith ?? 0;
    },
  };
}

/** A client that sends whatever it is told to, and what the server sent it after the handshake. */
async function raw(): Promise<{ socket: Socket; received(): Buffer; ended(): boolean; head: string }> {
  const { hostname, port } = new URL(running.url);
  const socket = connect(Number(port), hostname);
  let bytes = Buffer.alloc(0);
  let hasEnded = false;
  socket.on("data", (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
  });
  socket.on("end", () => {
    hasEnded = true;
  });
  socket.on("error", () => undefined);
  socket.write(`${handshake.join("\r\n")}\r\n\r\n`);
  await until(() => bytes.includes("\r\n\r\n"));
  const cut = bytes.indexOf("\r\n\r\n") + 4;
  return {
    socket,
    received: () => bytes.subarray(cut),
    ended: () => hasEnded,
    head: bytes.toString("latin1"),
  };
}

function frame(opcode: number, payload: Buffer | string, { final = true, mask = true } = {}): Buffer {
  const body = Buffer.from(payload);
  const key = randomBytes(4);
  const length =
    body.length < 126
      ? Buffer.from([body.length])
      : body.length < 65_536
        ? Buffer.from([126, body.length >> 8, body.length & 255])
        : Buffer.from([127, 0, 0, 0, 0, ...[24, 16, 8, 0].map((shift) => (body.length >>> shift) & 255)]);
  length[0] = (length[0] ?? 0) | (mask ? 0x80 : 0);
  const covered = mask ? body.map((byte, index) => byte ^ (key[index & 3] ?? 0)) : body;
  return Buffer.concat([
    Buffer.from([(final ? 0x80 : 0) | opcode]),
    length,
    mask ? key : Buffer.alloc(0),
    covered,
  ]);
}

const closed = (code: number): Buffer => Buffer.from([0x88, 2, code >> 8, code & 255]);
const told = (text: string): Buffer =>
  Buffer.concat([Buffer.from([0x81, Buffer.byteLength(text)]), Buffer.from(text)]);

describe("WS /stream/ws", () => {
  it("answers each text with its entities marked, in order", async () => {
    const { socket, next, code } = await open();
    for (const text of [note, "nobody", "Berlin"]) socket.send(text);
    expect([await next(), await next(), await next()]).toEqual([marked, "nobody", "[Place: Berlin]"]);
    socket.close();
    expect(await code()).toBe(1_005);
    await until(async () => (await running.stats()).web_sockets === 0);
  });

  it("takes long texts, up to a megabyte", async () => {
    const { socket, next, code } = await open();
    for (const length of [125, 126, 65_535, 65_536]) {
      socket.send("x".repeat(length));
      expect((await next()).length).toBe(length);
    }
    socket.send("x".repeat(1024 * 1024 + 1));
    expect(await code()).toBe(1_009);
  });

  it("describes itself to whoever asks without upgrading", async () => {
    expect(await (await fetch(`${running.url}/stream/ws`)).json()).toMatchObject({ protocol: "WebSocket" });
  });

  it("shakes hands as RFC 6455 has it", async () => {
    const { socket, head } = await raw();
    expect(head).toMatch(/^HTTP\/1\.1 101 /);
    expect(head).toContain("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
    socket.destroy();
  });

  it("puts fragments together, answers pings between them, and takes bytes as they come", async () => {
    const { socket, received } = await raw();
    const text = Buffer.from(note);
    const bytes = Buffer.concat([
      frame(1, text.subarray(0, 2), { final: false }),
      frame(9, "ping"),
      frame(0, text.subarray(2, 20), { final: false }),
      frame(0, text.subarray(20)),
      frame(8, Buffer.from([3, 232])),
    ]);
    for (const byte of bytes.subarray(0, -8)) {
      socket.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => received().includes("Berlin"));
    socket.write(bytes.subarray(-8));
    await once(socket, "end");
    expect(received()).toEqual(
      Buffer.concat([Buffer.from([0x8a, 4]), Buffer.from("ping"), told(marked), closed(1_000)]),
    );
  });

  it.each<[string, Buffer, number]>([
    ["an unmasked frame", frame(1, "a", { mask: false }), 1_002],
    ["an unknown opcode", frame(3, "a"), 1_002],
    ["an extension that was not agreed on", Buffer.from([0xc1, 0x80, 0, 0, 0, 0]), 1_002],
    ["a long ping", frame(9, "x".repeat(126)), 1_002],
    ["a ping in fragments", frame(9, "x", { final: false }), 1_002],
    ["a fragment of nothing", frame(0, "a"), 1_002],
    ["a text within a text", Buffer.concat([frame(1, "a", { final: false }), frame(1, "b")]), 1_002],
    ["a binary message", frame(2, "a"), 1_003],
    ["a text that is not UTF-8", frame(1, Buffer.from([0xff])), 1_007],
    ["a length beyond all limits", Buffer.from([0x81, 0xff, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), 1_009],
    ["fragments that are too long together", longFragments(), 1_009],
    ["a close frame of one byte", frame(8, "a"), 1_002],
    ["a close code that is never sent", frame(8, Buffer.from([3, 237])), 1_002],
  ])("closes the connection after %s", async (_, bytes, code) => {
    const { socket, received, ended } = await raw();
    socket.write(bytes);
    await until(ended);
    expect(received()).toEqual(closed(code));
    socket.destroy();
  });

  it.each([
    ["another version", handshake.with(4, "Sec-WebSocket-Version: 8"), 400],
    ["a short key", handshake.with(5, "Sec-WebSocket-Key: YQ=="), 400],
    ["another protocol", handshake.with(3, "Upgrade: h2c"), 400],
    ["another path", handshake.with(0, "GET /info HTTP/1.1"), 404],
  ])("refuses %s", async (_, lines, status) => {
    const { hostname, port } = new URL(running.url);
    const socket = connect(Number(port), hostname);
    socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    let answer = "";
    for await (const chunk of socket) answer += String(chunk);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  });

  it("closes after a silence, not while there is work", async () => {
    const idle = await start({ streamable: true, engine: "echo", faults: true, webSocketIdleMs: 120 });
    await idle.fault({ kind: "delay", ms: 250, route: "/stream/ws" });
    const { socket, next, code } = await open(idle);
    socket.send("late");
    expect(await next()).toBe("late");
    expect(await code()).toBe(1_000);
    await idle.close();
  });

  it("says that the server restarts, and does not hold it up", async () => {
    const other = await start({ streamable: true, engine: "echo", drainMs: 5_000 });
    const { code } = await open(other);
    const began = performance.now();
    await Promise.all([other.close(), code()]);
    expect(await code()).toBe(1_012);
    expect(performance.now() - began).toBeLessThan(2_000);
  });

  it("stalls, breaks off and refuses when it is told to", async () => {
    await running.fault({ kind: "break_off", after: 1, route: "/stream/ws" });
    const broken = await open();
    broken.socket.send("a");
    expect(await broken.next()).toBe("a");
    broken.socket.send("b");
    expect(await broken.code()).toBe(1_006);
    await running.fault({ kind: "stall", after: 0, route: "/stream/ws" });
    const stalled = await open();
    stalled.socket.send("a");
    await expect(
      Promise.race([stalled.next(), new Promise((resolve) => setTimeout(resolve, 100))]),
    ).resolves.toBe(undefined);
    stalled.socket.close();
    await running.fault({ kind: "error", status: 503, route: "/stream/ws" });
    await expect(open()).rejects.toThrow();
  });
});

function longFragments(): Buffer {
  const half = "x".repeat(600 * 1024);
  return Buffer.concat([frame(1, half, { final: false }), frame(0, half)]);
}
