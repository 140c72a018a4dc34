import { getEventListeners } from "node:events";
import { createServer } from "node:http";
import type { Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { answerJson, bodyOf, bytesOf, callTo, cannedWire, httpWire, onPosts, open, rawWire } from "./wire.ts";

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const TRAIN = { operation: "train_supervised", contentType: "multipart/form-data; boundary=x" };

function openOf(sockets: readonly Socket[]): number {
  return sockets.filter((socket) => !socket.destroyed).length;
}

describe("connections", () => {
  it("are kept: 2,000 calls, one after the other, need one", async () => {
    const { server, sockets } = await httpWire((request, response) => {
      request.resume();
      answerJson(response, 200, { ok: true });
    });
    const protocol = open();
    const { signal } = new AbortController();
    for (let call = 0; call < 2000; call += 1) {
      await bytesOf(bodyOf(await protocol.call(callTo(server), { signal })));
    }
    expect(sockets.length).toBeLessThanOrEqual(2);
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  it("are freed by small answers that nobody reads, refusals included", async () => {
    const statuses = [200, 400, 429, 502, 503, 504];
    const { server, sockets } = await httpWire((request, response) => {
      request.resume();
      answerJson(response, Number(new URL(request.url ?? "", "http://x").searchParams.get("status")), {
        a: 1,
      });
    });
    const protocol = open();
    for (let round = 0; round < 20; round += 1) {
      for (const status of statuses) await protocol.call(callTo(server, { query: `status=${status}` }));
    }
    await expect.poll(() => openOf(sockets)).toBeLessThanOrEqual(2);
    expect(sockets.length).toBeLessThanOrEqual(3);
  });

  it("are closed when a large answer is returned unread", async () => {
    const { server, sockets } = await httpWire((_request, response) => {
      response.writeHead(200, { "content-length": 10_000_000 });
      response.write(Buffer.alloc(200_000));
    });
    const body = bodyOf(await open().call(callTo(server)))[Symbol.asyncIterator]();
    await body.next();
    await body.return?.();
    expect(await body.next()).toEqual({ done: true, value: undefined });
    await expect.poll(() => openOf(sockets)).toBe(0);
  });

  it("are kept when the small rest of an answer is returned unread", async () => {
    let finish: () => void = () => {};
    const { server, sockets } = await httpWire((request, response) => {
      request.resume();
      response.writeHead(200, { "content-length": 6 });
      response.write("abc");
      finish = () => response.end("def");
    });
    const protocol = open();
    const body = bodyOf(await protocol.call(callTo(server)))[Symbol.asyncIterator]();
    await body.next();
    await body.return?.();
    finish();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await protocol.call(callTo(server));
    expect(sockets).toHaveLength(1);
  });

  it("are bounded; what is over waits", async () => {
    let most = 0;
    const { server, sockets } = await httpWire((request, response) => {
      request.resume();
      most = Math.max(most, openOf(sockets));
      setTimeout(() => answerJson(response, 200, {}), 5);
    });
    const protocol = open({ connections: 3 });
    const calls = Array.from({ length: 30 }, async () =>
      bytesOf(bodyOf(await protocol.call(callTo(server)))),
    );
    await Promise.all(calls);
    expect(most).toBe(3);
  });

  it("are closed when idle for longer than keepAliveMs", async () => {
    const { server, sockets } = await rawWire((socket) => onPosts(socket, () => socket.write(OK)));
    const protocol = open({ keepAliveMs: 1000 });
    await bytesOf(bodyOf(await protocol.call(callTo(server))));
    expect(openOf(sockets)).toBe(1);
    await expect.poll(() => openOf(sockets), { timeout: 5000 }).toBe(0);
  });

  it("are of their own for work that is not repeatable", async () => {
    const headers: (string | undefined)[] = [];
    const { server, sockets } = await httpWire((request, response) => {
      request.resume();
      if (request.method === "POST") headers.push(request.headers.connection);
      answerJson(response, 202, {});
    });
    const protocol = open();
    await protocol.call(callTo(server));
    await protocol.call(callTo(server, TRAIN));
    await protocol.call(callTo(server, TRAIN));
    expect(headers).toEqual(["keep-alive", "close", "close"]);
    // Each training is followed by a look at which process took it.
    expect(sockets).toHaveLength(5);
  });

  it("never go through a proxy of the environment", async () => {
    let proxied = 0;
    const proxy = createServer((_request, response) => {
      proxied += 1;
      response.end();
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const address = proxy.address();
    const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
    const names = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "NODE_USE_ENV_PROXY"];
    const before = names.map((name) => process.env[name]);
    for (const name of names) process.env[name] = name === "NODE_USE_ENV_PROXY" ? "1" : url;
    onTestFinished(() => {
      for (const [index, name] of names.entries()) {
        if (before[index] === undefined) delete process.env[name];
        else process.env[name] = before[index];
      }
      proxy.close();
    });
    const { server } = await httpWire((_request, response) => answerJson(response, 200, {}));
    const protocol = open();
    expect(await protocol.call(callTo(server))).toMatchObject({ kind: "done" });
    expect(await protocol.probe(server)).toMatchObject({ ready: true });
    expect(proxied).toBe(0);
  });
});

describe("a kept connection that the server closes", () => {
  it("when idle is not used again", async () => {
    const { server, sockets } = await rawWire((socket) => {
      onPosts(socket, () => {
        socket.write(OK);
        setTimeout(() => socket.end(), 10);
      });
    });
    const protocol = open();
    for (let call = 0; call < 20; call += 1) {
      const outcome = await protocol.call(callTo(server));
      expect((await bytesOf(bodyOf(outcome))).toString()).toBe("ok");
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    expect(sockets).toHaveLength(20);
  });

  it("right after its answer gives an answer or one honest reset, and nothing is sent twice", async () => {
    let received = 0;
    const { server } = await rawWire((socket) => {
      onPosts(socket, () => {
        received += 1;
        socket.write(OK);
        setImmediate(() => socket.end());
      });
    });
    const protocol = open();
    let done = 0;
    let reset = 0;
    for (let call = 0; call < 300; call += 1) {
      const outcome = await protocol.call(callTo(server));
      if (outcome.kind === "broken") {
        expect(outcome.reason).toBe("reset");
        reset += 1;
        continue;
      }
      await bytesOf(bodyOf(outcome));
      done += 1;
    }
    expect(done + reset).toBe(300);
    expect(received).toBeLessThanOrEqual(300);
    expect(received).toBeGreaterThanOrEqual(done);
  });

  it("while the next request is on its way is a reset, sent once", async () => {
    let requests = 0;
    const { server } = await rawWire((socket) => {
      onPosts(socket, (count) => {
        requests += 1;
        if (count === 1) socket.write(OK);
        else socket.resetAndDestroy();
      });
    });
    const protocol = open({ connections: 1 });
    await bytesOf(bodyOf(await protocol.call(callTo(server))));
    expect(await protocol.call(callTo(server))).toEqual({ kind: "broken", reason: "reset" });
    expect(requests).toBe(2);
  });

  it("is not the connection of a training", async () => {
    const { server } = await rawWire((socket) => {
      onPosts(socket, (count) => {
        if (count > 1) socket.resetAndDestroy();
        else socket.write('HTTP/1.1 202 Accepted\r\ncontent-length: 14\r\n\r\n{"run_id":"r"}');
      });
    });
    const protocol = open({ connections: 1 });
    await bytesOf(bodyOf(await protocol.call(callTo(server))));
    expect(await protocol.call(callTo(server, TRAIN))).toMatchObject({ kind: "accepted", runId: "r" });
  });
});

describe("close", () => {
  it("ends what runs with CLOSED, closes every connection, and is idempotent", async () => {
    const { server, sockets } = await rawWire((socket) => socket.resume());
    const protocol = open();
    const call = protocol.call(callTo(server));
    const outcome = expect(call).rejects.toMatchObject({ code: "CLOSED" });
    await expect.poll(() => sockets.length).toBe(1);
    await Promise.all([protocol.close(), protocol.close()]);
    await outcome;
    await expect.poll(() => openOf(sockets)).toBe(0);
  });

  it("makes every method reject", async () => {
    const { server } = await cannedWire(OK);
    const protocol = open();
    await protocol.close();
    const closed = expect.objectContaining({ code: "CLOSED" });
    await expect(protocol.call(callTo(server))).rejects.toEqual(closed);
    await expect(protocol.probe(server)).rejects.toEqual(closed);
    await expect(protocol.findRun({ server })).rejects.toEqual(closed);
    await expect(protocol.cancelRun({ server, taskId: "t" })).rejects.toEqual(closed);
    await expect(protocol.info(server)).rejects.toEqual(closed);
  });
});
