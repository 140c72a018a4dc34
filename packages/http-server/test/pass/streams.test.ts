import { once } from "node:events";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { serveHttp } from "../../src/node.ts";
import { HOSTS, type OpenHost } from "../support/hosts.ts";
import { call, openSocket, readUntil } from "../support/http-client.ts";
import { type RealGateway, startGateway } from "../support/real-gateway.ts";
import { type OriginServer, startOriginServer } from "./origin-server.ts";

/** 1 GiB: `MODELGATE_PASS_MIB=1024 npx vitest run packages/http-server/test/pass/streams.test.ts`. */
const MIB = Number(process.env["MODELGATE_PASS_MIB"] ?? 64);
const PIECE = Buffer.alloc(64 * 1024, "x");

// Without a collection right before, what is measured is how lazy the collector is.
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

let origin: OriginServer;
let real: RealGateway;

beforeAll(async () => {
  origin = await startOriginServer();
  real = await startGateway({ nlp: origin.url }, { direct: { share: 1 } });
});

afterAll(async () => {
  await real.close();
  await origin.close();
});

beforeEach(() => {
  origin.seen.length = 0;
  origin.routes.clear();
  origin.hungUp.clear();
});

/** Sends the head, and gives the request to be gone on with. */
function begin(
  url: string,
  path: string,
  method: string,
  headers: Record<string, string> = {},
): ClientRequest {
  const { hostname, port } = new URL(url);
  const sent = request({ hostname, port, path: `/models/nlp${path}`, method, headers, agent: false });
  sent.on("error", () => {});
  sent.flushHeaders();
  return sent;
}

async function answerOf(sent: ClientRequest): Promise<IncomingMessage> {
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  response.on("error", () => {});
  return response;
}

/** The next piece of an answer. */
async function pieceOf(response: IncomingMessage): Promise<string> {
  for (;;) {
    const piece = response.read() as Buffer | null;
    if (piece !== null) return piece.toString();
    await once(response, "readable");
  }
}

/** How long after `beganMs` the server noticed. */
async function noticed(path: string, beganMs: number): Promise<number> {
  await expect.poll(() => origin.hungUp.has(path), { interval: 2 }).toBe(true);
  return (origin.hungUp.get(path) ?? Number.POSITIVE_INFINITY) - beganMs;
}

it("keeps the connection after an answer that began before the request was over", async () => {
  origin.routes.set("/lines", (incoming, response) => {
    incoming.on("data", (chunk) => response.write(chunk));
    incoming.on("end", () => response.end("over"));
  });
  const server = await serveHttp(real.gateway, { port: 0 });
  const socket = await openSocket(server.url);
  socket.write(
    "POST /models/nlp/lines HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n",
  );
  expect(await readUntil(socket, /one/)).toMatch(/\r\nconnection: keep-alive\r\n/i);
  socket.write("0\r\n\r\nGET /health HTTP/1.1\r\nHost: h\r\n\r\n");
  expect(await readUntil(socket, /components/)).toMatch(/over[\s\S]*HTTP\/1\.1 200 /);
  socket.destroy();
  await server.close({ drainMs: 0 });
});

describe.each(HOSTS)("streams over $host", ({ host, open }) => {
  let opened: OpenHost;

  beforeAll(async () => {
    opened = await open(real.gateway);
  });

  afterAll(() => opened.close());

  it("gives each event to the caller when it comes, and the head before all of them", async () => {
    const heads: ((event: string) => void)[] = [];
    origin.routes.set("/events", (_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
      heads.push((event) => void (event === "" ? response.end() : response.write(event)));
    });
    const response = await answerOf(begin(opened.url, "/events", "GET").end());
    expect(response.headers["content-type"]).toBe("text/event-stream");
    const [send] = heads;
    for (const event of [": connected\n\n", "data: 1\n\n", "data: 2\n\n"]) {
      send?.(event);
      expect(await pieceOf(response)).toBe(event);
    }
    send?.("");
    await once(response.resume(), "end");
  });

  it("answers lines while more of them are still to come", async () => {
    origin.routes.set("/lines", (incoming, response) => {
      response.writeHead(200, { "content-type": "application/x-ndjson" });
      incoming.on("data", (chunk) => response.write(`got ${chunk}`));
      incoming.on("end", () => response.end("over\n"));
    });
    const sent = begin(opened.url, "/lines", "POST");
    sent.write("1\n");
    const response = await answerOf(sent);
    expect(await pieceOf(response)).toBe("got 1\n");
    for (const line of ["2\n", "3\n"]) {
      sent.write(line);
      expect(await pieceOf(response)).toBe(`got ${line}`);
    }
    sent.end();
    expect(await pieceOf(response)).toBe("over\n");
    await once(response.resume(), "end");
    expect(response.complete).toBe(true);
  });

  it("gives an answer that comes before the body is over, and takes no more of the body", async () => {
    origin.routes.set("/early", (_incoming, response) => {
      response.writeHead(401, { "content-type": "text/plain" }).end("who are you?");
    });
    const sent = begin(opened.url, "/early", "POST");
    sent.write(PIECE);
    const response = await answerOf(sent);
    expect(response.statusCode).toBe(401);
    expect(await pieceOf(response)).toBe("who are you?");
    sent.destroy();
    expect((await call(opened.url, "/models/nlp/echo")).status).toBe(200);
  });

  it("tells the server of a caller who hangs up, wherever that is", async () => {
    origin.routes.set("/silent", (incoming) => void incoming.resume());
    origin.routes.set("/begun", (incoming, response) => {
      incoming.resume();
      response.writeHead(200).write("begun");
    });
    origin.routes.set("/taking", (incoming) => void incoming.resume());
    const silent = begin(opened.url, "/silent", "GET").end();
    const begun = begin(opened.url, "/begun", "POST").end("x");
    const taking = begin(opened.url, "/taking", "POST");
    taking.write("half of it");
    await pieceOf(await answerOf(begun));
    await sleep(50);
    const beganMs = performance.now();
    for (const sent of [silent, begun, taking]) sent.destroy();
    for (const path of ["/silent", "/begun", "/taking"]) {
      expect(await noticed(path, beganMs), path).toBeLessThan(100);
    }
  });

  it("tells the caller of a server that breaks off, and of one that says nothing usable", async () => {
    origin.routes.set("/breaks", (_incoming, response) => {
      response.writeHead(200, { "content-length": "100" }).write("half");
      setTimeout(() => response.destroy(), 20);
    });
    origin.routes.set("/resets", (incoming) => void incoming.socket.destroy());
    origin.routes.set("/babbles", (incoming) => void incoming.socket.end("this is no HTTP\r\n\r\n"));
    const response = await answerOf(begin(opened.url, "/breaks", "GET").end());
    await new Promise((resolve) => response.resume().once("close", resolve));
    expect(response.complete).toBe(false);
    for (const path of ["/resets", "/babbles"]) {
      const answer = await call(opened.url, `/models/nlp${path}`);
      expect([path, answer.status, answer.json.code]).toEqual([path, 502, "SERVER_BAD_GATEWAY"]);
      // It is left alone for a moment after a failure.
      await expect
        .poll(async () => (await call(opened.url, "/models/nlp/echo")).status, { timeout: 5_000 })
        .toBe(200);
    }
  });

  it(`holds little of ${MIB} MiB in each direction`, { timeout: 120_000 }, async () => {
    const bytes = MIB * 1024 * 1024;
    origin.routes.set("/large", (_incoming, response) => {
      response.writeHead(200, { "content-length": bytes });
      let left = bytes;
      const push = (): void => {
        while (left > 0) {
          left -= PIECE.byteLength;
          if (!response.write(PIECE)) return void response.once("drain", push);
        }
        response.end();
      };
      push();
    });
    origin.routes.set("/sink", (incoming, response) => {
      let count = 0;
      incoming.on("data", (chunk: Buffer) => {
        count += chunk.byteLength;
      });
      incoming.on("end", () => response.end(String(count)));
    });
    const heldBytes = (): number => {
      collect();
      return process.memoryUsage().arrayBuffers;
    };
    const beforeBytes = heldBytes();
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, heldBytes() - beforeBytes);
    }, 50);

    const response = await answerOf(begin(opened.url, "/large", "GET").end());
    let received = 0;
    for await (const chunk of response) {
      received += (chunk as Buffer).byteLength;
      // A reader that pauses now and then is what would fill memory.
      if (received % (8 * 1024 * 1024) < 65_536) await sleep(2);
    }
    expect(received).toBe(bytes);

    const headers = { "content-length": String(bytes) };
    const sent = begin(opened.url, "/sink", "POST", headers);
    for (let left = bytes; left > 0; left -= PIECE.byteLength) {
      if (!sent.write(PIECE)) await once(sent, "drain");
    }
    const answered = await answerOf(sent.end());
    expect(await pieceOf(answered)).toBe(String(bytes));
    clearInterval(watch);
    // Client, gateway and server are all in this process.
    expect(most / 1024 / 1024).toBeLessThan(32);
  });

  it("does not read faster than the caller does", async () => {
    let written = 0;
    origin.routes.set("/endless", (_incoming, response) => {
      response.writeHead(200);
      const push = (): void => {
        while (!response.destroyed) {
          written += PIECE.byteLength;
          if (!response.write(PIECE)) return void response.once("drain", push);
        }
      };
      push();
    });
    const response = await answerOf(begin(opened.url, "/endless", "GET").end());
    let last = -1;
    for (let tries = 0; written !== last && tries < 30; tries += 1) {
      last = written;
      await sleep(100);
    }
    expect(written).toBe(last);
    expect(written).toBeLessThan(host === "node:http" ? 32e6 : 64e6);
    response.destroy();
    expect(await noticed("/endless", performance.now())).toBeLessThan(100);
  });
});
