import { once } from "node:events";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { ModelServer } from "../../src/contracts/discovery.ts";
import type {
  HeaderList,
  PassedAnswer,
  PassedRequest,
  PassOutcome,
} from "../../src/contracts/server-protocol.ts";
import { bytesOf, cannedWire, httpWire, modelServer, open, pieces, rawWire } from "./wire.ts";

function passed(server: ModelServer, overrides: Partial<PassedRequest> = {}): PassedRequest {
  return { server, method: "GET", path: "/", query: "", headers: [], timeoutMs: 5000, ...overrides };
}

async function send(
  server: ModelServer,
  overrides: Partial<PassedRequest> = {},
  protocol: ReturnType<typeof open> = open(),
): Promise<PassOutcome> {
  const { pass } = protocol;
  if (pass === undefined) throw new Error("it passes nothing");
  return await pass.send(passed(server, overrides));
}

function answerOf(outcome: PassOutcome): PassedAnswer {
  if (outcome.kind !== "answered") throw new Error(`no answer: ${JSON.stringify(outcome)}`);
  return outcome.answer;
}

/** Writes down what comes in as it stands on the wire, and answers `ok`. */
async function listening(path = "") {
  const heads: string[] = [];
  const wire = await rawWire((socket: Socket) => {
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (!text.includes("\r\n\r\n")) return;
      heads.push(text);
      text = "";
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
  });
  return { server: { ...wire.server, url: `${wire.server.url}${path}` }, heads };
}

const linesOf = (head: string | undefined): string[] =>
  (head ?? "").split("\r\n\r\n")[0]?.split("\r\n") ?? [];

describe("a request that is passed on", () => {
  it.each(["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "X-OWN"])(
    "keeps its method %s",
    async (method) => {
      const { server, heads } = await listening();
      answerOf(await send(server, { method, path: "/a" }));
      expect(heads[0]).toMatch(new RegExp(`^${method} /a HTTP/1.1\r\n`));
    },
  );

  it("keeps its path and query byte for byte, below the server's own path", async () => {
    const { server, heads } = await listening("/base/");
    const path = "/a%2Fb//c/./%c3%A9;x=1/";
    answerOf(await send(server, { path, query: "a=1&a=2&b=+%20&%zz&=&&c" }));
    expect(linesOf(heads[0])[0]).toBe(`GET /base${path}?a=1&a=2&b=+%20&%zz&=&&c HTTP/1.1`);
  });

  it("keeps its headers with their order, letters and repetitions, without those of its connection", async () => {
    const { server, heads } = await listening();
    const headers: HeaderList = [
      ["X-One", "1"],
      ["accept-encoding", "gzip"],
      ["x-one", "2"],
      ["Connection", "close, X-Hop"],
      ["X-Hop", "secret"],
      ["Keep-Alive", "timeout=5"],
      ["TE", "trailers"],
      ["Trailer", "x"],
      ["Transfer-Encoding", "chunked"],
      ["Upgrade", "h2c"],
      ["HTTP2-Settings", "AAMAAABk"],
      ["Proxy-Authorization", "Basic x"],
      ["Proxy-Connection", "keep-alive"],
      ["Expect", "100-continue"],
      ["Host", "elsewhere"],
      ["Content-Length", "77"],
      ["X-Latin", "\xe9"],
    ];
    answerOf(await send(server, { headers }));
    const [, host, connection, ...rest] = linesOf(heads[0]);
    expect(host).toBe(`host: ${new URL(server.url).host}`);
    expect(connection).toBe("connection: keep-alive");
    expect(rest).toEqual(["X-One: 1", "accept-encoding: gzip", "x-one: 2", "X-Latin: \xe9"]);
  });

  it("carries the credentials of the server's address, unless the caller's own are passed on", async () => {
    const { server, heads } = await listening();
    const locked = { ...server, url: server.url.replace("//", "//me:pass@") };
    answerOf(await send(locked));
    answerOf(await send(locked, { headers: [["Authorization", "Bearer own"]] }));
    const sent = heads.map((head) => linesOf(head).filter((line) => /^authorization/i.test(line)));
    expect(sent).toEqual([["authorization: Basic bWU6cGFzcw=="], ["Authorization: Bearer own"]]);
  });

  it("is streamed, and announced as long as it was", async () => {
    const bodies: [string | undefined, string][] = [];
    const { server } = await httpWire(async (request, response) => {
      bodies.push([request.headers["content-length"], (await bytesOf(request)).toString()]);
      response.end();
    });
    answerOf(await send(server, { method: "POST", payload: Buffer.from("bytes") }));
    answerOf(await send(server, { method: "PUT", payload: pieces("a ", "stream"), sizeBytes: 8 }));
    answerOf(await send(server, { method: "POST", payload: pieces("of unknown ", "length") }));
    answerOf(await send(server, { method: "DELETE", payload: pieces("with a body") }));
    answerOf(await send(server, { method: "POST" }));
    expect(bodies).toEqual([
      ["5", "bytes"],
      ["8", "a stream"],
      [undefined, "of unknown length"],
      [undefined, "with a body"],
      ["0", ""],
    ]);
  });

  it.each([
    ["method", { method: "GET /x HTTP/1.1\r\n" }],
    ["method", { method: "" }],
    ["method", { method: "TRACE" }],
    ["method", { method: "connect" }],
    ["path", { path: "nowhere" }],
    ["path", { path: "/a b" }],
    ["path", { path: "/a\r\nx: y" }],
    ["headers", { headers: [["a b", "x"]] as HeaderList }],
    ["headers", { headers: [["x", "secret\r\ny: z"]] as HeaderList }],
    ["headers", { headers: [["x", "secret\u2713"]] as HeaderList }],
  ])("must be one of HTTP: %s", async (field, overrides) => {
    const { server, heads } = await listening();
    const error = await send(server, overrides).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "INVALID_REQUEST", details: { field } });
    expect(String(error)).not.toContain("secret");
    expect(heads).toEqual([]);
  });

  it("leaves its payload as it is where there is no connection", async () => {
    const payload = pieces("once");
    const nobody = modelServer("http://127.0.0.1:1");
    expect(await send(nobody, { method: "POST", payload })).toEqual({ kind: "unsent" });
    expect(await send(modelServer("nonsense"), { method: "POST", payload })).toEqual({ kind: "unsent" });
    expect((await bytesOf(payload)).toString()).toBe("once");
  });

  it("is sent once, whatever comes of it", async () => {
    let count = 0;
    const { server } = await rawWire((socket) => {
      socket.once("data", () => {
        count += 1;
        socket.destroy();
      });
    });
    expect(await send(server)).toEqual({ kind: "broken", reason: "reset" });
    expect(await send(server, { method: "POST", payload: pieces("x") })).toEqual({
      kind: "broken",
      reason: "reset",
    });
    const nonsense = await cannedWire("nonsense\r\n\r\n");
    expect(await send(nonsense.server)).toEqual({ kind: "broken", reason: "bad_gateway" });
    const silent = await rawWire((socket) => socket.resume());
    expect(await send(silent.server, { timeoutMs: 40 })).toEqual({ kind: "broken", reason: "timeout" });
    await expect.poll(() => silent.sockets[0]?.destroyed).toBe(true);
    expect(count).toBe(2);
  });
});

describe("an answer that is passed on", () => {
  it("keeps its status and headers, repeated ones too, without those of its connection", async () => {
    const { server } = await cannedWire(
      [
        "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n",
        "HTTP/1.1 418 Teapot",
        "Set-Cookie: a=1",
        "X-Note: \xe9",
        "Connection: keep-alive, X-Hop",
        "X-Hop: 1",
        "Keep-Alive: timeout=1",
        "Proxy-Authenticate: Basic",
        "Trailer: x",
        "Content-Length: 5",
        "set-cookie: b=2",
        "",
        "hello",
      ].join("\r\n"),
    );
    const { status, headers, sizeBytes, body } = answerOf(await send(server));
    expect({ status, headers, sizeBytes }).toEqual({
      status: 418,
      headers: [
        ["Set-Cookie", "a=1"],
        ["X-Note", "\xe9"],
        ["set-cookie", "b=2"],
      ],
      sizeBytes: 5,
    });
    expect((await bytesOf(body)).toString()).toBe("hello");
  });

  it.each([
    ["HEAD", 200],
    ["GET", 204],
    ["GET", 304],
  ])("has no body after %s with %i", async (method, status) => {
    const { server } = await cannedWire(`HTTP/1.1 ${status} X\r\nETag: "a"\r\n\r\n`);
    const answer = answerOf(await send(server, { method }));
    expect(answer.status).toBe(status);
    expect(await bytesOf(answer.body)).toHaveLength(0);
  });

  it("tells of a HEAD how long the body would be", async () => {
    const { server } = await cannedWire("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n");
    const answer = answerOf(await send(server, { method: "HEAD" }));
    expect(answer.sizeBytes).toBe(12);
    expect(await bytesOf(answer.body)).toHaveLength(0);
  });

  it("says that the server is busy only where it says until when", async () => {
    const { server } = await httpWire((request, response) => {
      const [, status = "", after] = (request.url ?? "").split("/");
      response.writeHead(Number(status), after === undefined ? {} : { "retry-after": after }).end("no");
    });
    const protocol = open();
    for (const [path, busy] of [
      ["/503/2", { retryAfterMs: 2000 }],
      ["/429/0", { retryAfterMs: 0 }],
      ["/503", undefined],
      ["/429", undefined],
      ["/500/2", undefined],
    ] as const) {
      const outcome = await send(server, { path }, protocol);
      expect((await bytesOf(answerOf(outcome).body)).toString()).toBe("no");
      expect(outcome).toMatchObject({ kind: "answered", busy });
    }
  });

  it("reaches its reader piece by piece, before the request has ended", async () => {
    const { server } = await httpWire((request, response) => {
      response.writeHead(200, { "content-type": "application/x-ndjson" });
      request.on("data", (chunk: Buffer) => response.write(`got ${chunk.toString()}`));
      request.on("end", () => response.end("end"));
    });
    const steps: string[] = [];
    let told = (): void => {};
    async function* asked(): AsyncGenerator<Uint8Array> {
      for (const text of ["one", "two", "three"]) {
        steps.push(`send ${text}`);
        const heard = new Promise<void>((resolve) => {
          told = resolve;
        });
        yield Buffer.from(text);
        await heard;
      }
    }
    const { body } = answerOf(await send(server, { method: "POST", payload: asked() }));
    for await (const chunk of body) {
      steps.push(Buffer.from(chunk).toString());
      told();
    }
    expect(steps).toEqual(["send one", "got one", "send two", "got two", "send three", "got three", "end"]);
  });

  it("waits in the server while nobody reads it", async () => {
    let sentBytes = 0;
    const { server, sockets } = await httpWire((_request, response) => {
      const write = (): void => {
        sentBytes += 65536;
        if (response.write(Buffer.alloc(65536))) setImmediate(write);
        else response.once("drain", write);
      };
      write();
    });
    const { body } = answerOf(await send(server));
    await sleep(150);
    const held = sentBytes;
    await sleep(100);
    expect(sentBytes - held).toBeLessThan(1_000_000);
    expect(sentBytes).toBeLessThan(20_000_000);
    await body[Symbol.asyncIterator]().return?.();
    await expect.poll(() => sockets[0]?.destroyed).toBe(true);
  });

  it.each([
    ["returns", { announced: true }],
    ["returns", { announced: false }],
    ["aborts", { announced: true }],
  ])("is ended at once when its reader %s (%o)", async (how, { announced }) => {
    const { server, sockets } = await httpWire((_request, response) => {
      if (announced) response.setHeader("content-length", 100);
      response.write("some");
    });
    const controller = new AbortController();
    const outcome = await open().pass?.send(passed(server), { signal: controller.signal });
    if (outcome === undefined) throw new Error("it passes nothing");
    const body = answerOf(outcome).body[Symbol.asyncIterator]();
    expect((await body.next()).value).toEqual(Buffer.from("some"));
    const [socket] = sockets;
    if (socket === undefined) throw new Error("no connection");
    const closed = once(socket, "close");
    const startedMs = performance.now();
    if (how === "returns") await body.return?.();
    else {
      const next = body.next();
      controller.abort(new Error("enough"));
      await expect(next).rejects.toThrow("enough");
    }
    await closed;
    expect(performance.now() - startedMs).toBeLessThan(100);
  });

  it("that breaks off, or falls silent for too long, is no whole answer", async () => {
    const short = await cannedWire("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf", { end: true });
    await expect(bytesOf(answerOf(await send(short.server)).body)).rejects.toMatchObject({
      code: "SERVER_BROKE_OFF",
    });
    const silent = await cannedWire("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf");
    const { body } = answerOf(await send(silent.server, { idleTimeoutMs: 40 }));
    await expect(bytesOf(body)).rejects.toMatchObject({ code: "SERVER_TIMEOUT" });
    await expect.poll(() => silent.sockets[0]?.destroyed).toBe(true);
  });

  it("may come while the payload still does", async () => {
    const { server } = await cannedWire("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig");
    let isLetGo = false;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) {
          yield Buffer.alloc(1024);
          await sleep(1);
        }
      } finally {
        isLetGo = true;
      }
    }
    const answer = answerOf(await send(server, { method: "POST", payload: endless() }));
    expect([answer.status, (await bytesOf(answer.body)).toString()]).toEqual([413, "big"]);
    await expect.poll(() => isLetGo).toBe(true);
  });
});
