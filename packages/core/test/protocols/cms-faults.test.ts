import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import {
  answerJson,
  bodyOf,
  bytesOf,
  callTo,
  cannedWire,
  httpWire,
  modelServer,
  open,
  pieces,
  rawWire,
} from "./wire.ts";

const UNREACHABLE = { kind: "refused", reason: "unreachable" };
const TRAIN = { operation: "train_supervised", contentType: "multipart/form-data; boundary=x" };

/** A server that takes no more connections: its process sleeps and the kernel's queue for it is full. */
async function fullServer(): Promise<number> {
  const script = `require("node:net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, function () {
    require("node:fs").writeSync(1, String(this.address().port));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const [port] = await once(child.stdout, "data");
  for (let filled = 0; filled < 8; filled += 1) {
    const socket = connect(Number(String(port)), "127.0.0.1").on("error", () => {});
    onTestFinished(() => {
      socket.destroy();
    });
  }
  await new Promise((resolve) => setTimeout(resolve, 100));
  return Number(String(port));
}

describe("no connection", () => {
  it.each([
    ["a closed port", "http://127.0.0.1:1"],
    ["a name that nobody has", "http://no-such-host.invalid:8000"],
    ["an address that is none", "not an address"],
    ["another scheme", "ftp://127.0.0.1:21"],
  ])("to %s is unreachable, and nothing was sent", async (_name, url) => {
    let sends = 0;
    const outcome = await open().call(callTo(modelServer(url), { onSend: () => (sends += 1) }));
    expect(outcome).toEqual(UNREACHABLE);
    expect(sends).toBe(0);
  });

  it("in time is unreachable, by the limit of the connection or of the call", async () => {
    const server = modelServer(`http://127.0.0.1:${await fullServer()}`);
    let sends = 0;
    const onSend = (): void => {
      sends += 1;
    };
    expect(await open({ connectTimeoutMs: 200 }).call(callTo(server, { onSend }))).toEqual(UNREACHABLE);
    expect(await open().call(callTo(server, { onSend, timeoutMs: 200 }))).toEqual(UNREACHABLE);
    expect(sends).toBe(0);
  });

  it("is given up at once by an abort", async () => {
    const server = modelServer(`http://127.0.0.1:${await fullServer()}`);
    const controller = new AbortController();
    const call = open().call(callTo(server), { signal: controller.signal });
    const reason = new Error("enough");
    setTimeout(() => controller.abort(reason), 20);
    await expect(call).rejects.toBe(reason);
  });
});

describe("a send that got no usable answer", () => {
  it("is broken by a reset", async () => {
    let sends = 0;
    const { server, sockets } = await rawWire((socket) =>
      socket.once("data", () => socket.resetAndDestroy()),
    );
    const outcome = await open().call(callTo(server, { ...TRAIN, onSend: () => (sends += 1) }));
    expect(outcome).toEqual({ kind: "broken", reason: "reset" });
    expect(sends).toBe(1);
    expect(sockets).toHaveLength(1);
  });

  it("is broken by a close before the answer", async () => {
    const { server, sockets } = await rawWire((socket) => socket.once("data", () => socket.end()));
    expect(await open().call(callTo(server))).toEqual({ kind: "broken", reason: "reset" });
    expect(sockets).toHaveLength(1);
  });

  it("is broken by the time limit, and the server sees the close", async () => {
    const { server, sockets } = await rawWire((socket) => socket.resume());
    expect(await open().call(callTo(server, { timeoutMs: 80 }))).toEqual({
      kind: "broken",
      reason: "timeout",
    });
    await expect.poll(() => sockets[0]?.destroyed).toBe(true);
  });

  it("is broken by headers that break off", async () => {
    const { server } = await cannedWire("HTTP/1.1 200 OK\r\ncontent-le", { end: true });
    expect(await open().call(callTo(server))).toEqual({ kind: "broken", reason: "reset" });
  });

  it.each([
    ["headers without end", `HTTP/1.1 200 OK\r\nx: ${"y".repeat(20_000)}\r\n\r\n`],
    ["something that is not HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n"],
    ["two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"],
  ])("is broken by %s", async (_name, text) => {
    const { server } = await cannedWire(text);
    expect(await open().call(callTo(server))).toEqual({ kind: "broken", reason: "bad_gateway" });
  });

  it("gives background work up at its own limit, not after the whole run's", async () => {
    const { server } = await rawWire((socket) => socket.resume());
    const protocol = open({ acceptTimeoutMs: 80 });
    const outcome = await protocol.call(callTo(server, { ...TRAIN, timeoutMs: 86_400_000 }));
    expect(outcome).toEqual({ kind: "broken", reason: "timeout" });
  });
});

describe("an answer that breaks off", () => {
  it.each([
    ["short of its length", "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nhalf"],
    ["short of its last chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"],
    ["in a broken chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n"],
  ])("%s throws, after what had come", async (_name, text) => {
    const { server } = await cannedWire(text, { end: true });
    const body = bodyOf(await open().call(callTo(server)));
    let received = "";
    const read = async (): Promise<void> => {
      for await (const chunk of body) received += Buffer.from(chunk).toString();
    };
    const error: unknown = await read().catch((reason: unknown) => reason);
    expect(GatewayError.is(error, "SERVER_BROKE_OFF")).toBe(true);
    expect(received).toBe("half");
    expect((error as GatewayError).cause).toBeUndefined();
  });

  it("by a reset in the middle throws", async () => {
    const { server, sockets } = await httpWire((_request, response) => {
      response.writeHead(200, { "content-length": 10 });
      response.write("half");
    });
    const body = bodyOf(await open().call(callTo(server)))[Symbol.asyncIterator]();
    await body.next();
    sockets[0]?.resetAndDestroy();
    await expect(body.next()).rejects.toMatchObject({ code: "SERVER_BROKE_OFF" });
    expect(await body.next()).toEqual({ done: true, value: undefined });
  });
});

describe("an abort", () => {
  it("reaches a server that hangs within 100 ms, and rejects with the reason", async () => {
    let closedAt = 0;
    const { server } = await rawWire((socket) => {
      socket.resume();
      socket.once("close", () => {
        closedAt = performance.now();
      });
    });
    const controller = new AbortController();
    let sent: () => void = () => {};
    const isSent = new Promise<void>((resolve) => {
      sent = resolve;
    });
    const call = open().call(callTo(server, { onSend: sent }), { signal: controller.signal });
    await isSent;
    await new Promise((resolve) => setTimeout(resolve, 30));
    const abortedAt = performance.now();
    const reason = { any: "value" };
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
    await expect.poll(() => closedAt).toBeGreaterThan(0);
    expect(closedAt - abortedAt).toBeLessThan(100);
  });

  it("reaches a server in the middle of an upload", async () => {
    const { server, sockets } = await rawWire((socket) => socket.resume());
    let isReleased = false;
    async function* payload(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) {
          yield Buffer.alloc(1000);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      } finally {
        isReleased = true;
      }
    }
    const controller = new AbortController();
    const call = open().call(callTo(server, { payload: payload(), sizeBytes: 1e9 }), {
      signal: controller.signal,
    });
    setTimeout(() => controller.abort(new Error("enough")), 50);
    await expect(call).rejects.toThrow("enough");
    await expect.poll(() => isReleased && sockets[0]?.destroyed).toBe(true);
  });

  it("reaches a server in the middle of its answer, and the reader", async () => {
    const { server, sockets } = await httpWire((_request, response) => {
      response.writeHead(200, { "content-length": 10 });
      response.write("half");
    });
    const controller = new AbortController();
    const outcome = await open().call(callTo(server), { signal: controller.signal });
    const reason = new Error("enough");
    const read = bytesOf(bodyOf(outcome));
    setTimeout(() => controller.abort(reason), 20);
    await expect(read).rejects.toBe(reason);
    await expect.poll(() => sockets[0]?.destroyed).toBe(true);
  });

  it("before the call sends nothing", async () => {
    const { server, sockets } = await httpWire((_request, response) => answerJson(response, 200, {}));
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(open().call(callTo(server, { payload: pieces("a") }), { signal })).rejects.toThrow("enough");
    expect(sockets).toHaveLength(0);
  });
});

describe("onSend", () => {
  it("is called once, on a connection, before the server gets a byte", async () => {
    const order: string[] = [];
    const { server } = await rawWire((socket) => {
      order.push("connected");
      socket.once("data", () => {
        order.push("received");
        socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
      });
    });
    await open().call(callTo(server, { onSend: () => order.push("sent") }));
    expect(order.filter((step) => step === "sent")).toHaveLength(1);
    expect(order.indexOf("sent")).toBeLessThan(order.indexOf("received"));
  });

  it("stops the send by throwing", async () => {
    let requests = 0;
    const { server } = await httpWire((_request, response) => {
      requests += 1;
      answerJson(response, 200, {});
    });
    const protocol = open();
    const failure = new Error("the lease is over");
    const onSend = (): void => {
      throw failure;
    };
    await expect(protocol.call(callTo(server, { onSend }))).rejects.toBe(failure);
    expect(await protocol.call(callTo(server))).toMatchObject({ kind: "done" });
    expect(requests).toBe(1);
  });
});
