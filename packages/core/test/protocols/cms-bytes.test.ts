import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import {
  answerJson,
  bodyOf,
  bodyReceived,
  bytesOf,
  callTo,
  cannedWire,
  httpWire,
  open,
  pieces,
} from "./wire.ts";

interface Seen {
  url: string | undefined;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

async function recorder(): Promise<{ server: Parameters<typeof callTo>[0]; seen: Seen[] }> {
  const seen: Seen[] = [];
  const { server } = await httpWire(async (request, response) => {
    seen.push({ url: request.url, headers: request.headers, body: await bodyReceived(request) });
    answerJson(response, 200, {});
  });
  return { server, seen };
}

describe("what reaches the server", () => {
  it("is the text byte by byte, UTF-8 or not", async () => {
    const { server, seen } = await recorder();
    const payload = Buffer.concat([
      Buffer.from("na\u00efve \u{1f600}\r\n\0"),
      Buffer.from([0xff, 0xfe, 0xe9, 0x80]),
    ]);
    await open().call(callTo(server, { payload, contentType: "text/plain; charset=latin1" }));
    expect(seen[0]?.body.equals(payload)).toBe(true);
    expect(seen[0]?.headers["content-type"]).toBe("text/plain; charset=latin1");
    expect(seen[0]?.headers["content-length"]).toBe(String(payload.byteLength));
    expect(seen[0]?.headers["transfer-encoding"]).toBeUndefined();
  });

  it("is a multipart body as it came, names, types, doubles and order", async () => {
    const { server, seen } = await recorder();
    const payload = Buffer.from(
      '--b\r\nContent-Disposition: form-data; name="f"; filename="a b\u00e9.json"\r\nContent-Type: x/y\r\n\r\n{ }\r\n' +
        '--b\r\nContent-Disposition: form-data; name="f"; filename=""\r\n\r\n\r\n--b--\r\n',
    );
    const contentType = 'multipart/form-data; boundary="b"';
    await open().call(callTo(server, { operation: "sanity-check", payload, contentType }));
    expect(seen[0]?.body.equals(payload)).toBe(true);
    expect(seen[0]?.headers["content-type"]).toBe(contentType);
  });

  it("is a form without a file, in the very form that its type names", async () => {
    const { server, seen } = await recorder();
    const payload = Buffer.from('--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--b--\r\n');
    const contentType = "multipart/form-data; boundary=b";
    await open().call(callTo(server, { operation: "train_metacat", payload, contentType }));
    expect(seen[0]?.body.equals(payload)).toBe(true);
    expect(seen[0]?.headers["content-type"]).toBe(contentType);
  });

  it("is the slice of a larger buffer, and an empty body", async () => {
    const { server, seen } = await recorder();
    const protocol = open();
    await protocol.call(callTo(server, { payload: new Uint8Array(Buffer.from("xxabcxx")).subarray(2, 5) }));
    await protocol.call(callTo(server, { payload: new Uint8Array(0) }));
    await protocol.call(callTo(server, { payload: pieces(), sizeBytes: 0 }));
    expect(seen.map(({ body }) => body.toString())).toEqual(["abc", "", ""]);
    expect(seen.map(({ headers }) => headers["content-length"])).toEqual(["3", "0", "0"]);
  });

  it.each([
    "a=1&a=2&b=&a=1",
    "mask=***&x=%2B+%20&y=%zz",
    "concepts_to_keep=C1&concepts_to_keep=C2&=&&",
    "tracking_id=mine",
  ])("is the query %s exactly", async (query) => {
    const { server, seen } = await recorder();
    await open().call(callTo(server, { query }));
    expect(seen[0]?.url).toBe(`/process?${query}`);
  });

  it("is the task's id as the tracking id of a training, whatever the caller gave", async () => {
    const { server, seen } = await recorder();
    const query = "epochs=2&tracking_id=mine&epochs=3&tracking%5Fid=x&description=a%20b";
    await open().call(callTo(server, { operation: "evaluate", query, taskId: "t 1" }));
    expect(seen[0]?.url).toBe("/evaluate?epochs=2&epochs=3&description=a%20b&tracking_id=t%201");
  });

  it("is the credentials of the address as a header, and nothing in the path", async () => {
    const { server, seen } = await recorder();
    const url = server.url.replace("http://", "http://user:p%40ss@");
    await open().call(callTo({ ...server, url }));
    expect(seen[0]?.headers["authorization"]).toBe(`Basic ${Buffer.from("user:p@ss").toString("base64")}`);
    expect(seen[0]?.url).toBe("/process");
  });

  it("is nothing when the content type cannot stand in a header", async () => {
    const { server, seen } = await recorder();
    const call = open().call(callTo(server, { contentType: "text/plain\r\nx-injected: secret" }));
    const error: unknown = await call.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "INVALID_REQUEST", details: { field: "contentType" } });
    expect(String(error)).not.toContain("secret");
    expect(seen).toEqual([]);
  });

  it("has the operation's own type when the caller named none", async () => {
    const { server, seen } = await recorder();
    await open().call(callTo(server, { contentType: undefined }));
    expect(seen[0]?.headers["content-type"]).toBe("text/plain");
  });
});

describe("a payload in pieces", () => {
  it("is announced by its length and streamed, 20 MB at the server's pace", async () => {
    const { server, seen } = await recorder();
    const chunk = randomBytes(1024 * 1024);
    const hash = createHash("sha256");
    async function* payload(): AsyncGenerator<Uint8Array> {
      for (let sent = 0; sent < 20; sent += 1) {
        hash.update(chunk);
        yield chunk;
        yield new Uint8Array(0);
      }
    }
    const sizeBytes = 20 * chunk.byteLength;
    const outcome = await open().call(callTo(server, { payload: payload(), sizeBytes }));
    expect(outcome.kind).toBe("done");
    expect(seen[0]?.headers["content-length"]).toBe(String(sizeBytes));
    expect(
      createHash("sha256")
        .update(seen[0]?.body ?? "")
        .digest("hex"),
    ).toBe(hash.digest("hex"));
  });

  it("goes in chunks when its length is not known", async () => {
    const { server, seen } = await recorder();
    await open().call(callTo(server, { payload: pieces("ab", "c"), sizeBytes: Number.NaN }));
    expect(seen[0]?.headers["transfer-encoding"]).toBe("chunked");
    expect(seen[0]?.body.toString()).toBe("abc");
  });

  it.each([
    ["shorter", 4],
    ["longer", 2],
  ])("that is %s than announced is a lost payload", async (_name, sizeBytes) => {
    const { server } = await recorder();
    await expect(
      open().call(callTo(server, { payload: pieces("ab", "c"), sizeBytes })),
    ).rejects.toMatchObject({
      code: "PAYLOAD_LOST",
    });
  });

  it("that fails rejects with its own error, and the server sees the end", async () => {
    let isClosed: () => void = () => {};
    const closed = new Promise<void>((resolve) => {
      isClosed = resolve;
    });
    const { server } = await httpWire((request) => {
      request.on("error", () => {});
      request.on("close", isClosed);
      request.resume();
    });
    const failure = new Error("the disk is gone");
    async function* payload(): AsyncGenerator<Uint8Array> {
      yield Buffer.from("a");
      throw failure;
    }
    await expect(open().call(callTo(server, { payload: payload(), sizeBytes: 2 }))).rejects.toBe(failure);
    await closed;
  });

  it("is let go of when the server answers before reading it", async () => {
    const { server } = await cannedWire("HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno");
    const payload = new Readable({ read() {} });
    payload.push(Buffer.alloc(1000));
    const outcome = await open().call(callTo(server, { payload, sizeBytes: 5000 }));
    expect(outcome).toMatchObject({ kind: "rejected", answer: { status: 413 } });
    expect((await bytesOf(bodyOf(outcome))).toString()).toBe("no");
    await expect.poll(() => payload.destroyed).toBe(true);
  });

  it("is let go of when there is no server", async () => {
    const payload = new Readable({ read() {} });
    const { server, port } = await httpWire(() => {});
    const gone = { ...server, url: server.url.replace(String(port), "1") };
    const outcome = await open().call(callTo(gone, { payload, sizeBytes: 5 }));
    expect(outcome).toEqual({ kind: "refused", reason: "unreachable" });
    expect(payload.destroyed).toBe(true);
  });
});

describe("an answer in pieces", () => {
  it("is handed on as it comes", async () => {
    let more: () => void = () => {};
    const { server } = await httpWire((_request, response) => {
      response.write("first");
      more = () => response.end("second");
    });
    const body = bodyOf(await open().call(callTo(server)))[Symbol.asyncIterator]();
    expect(Buffer.from((await body.next()).value ?? "").toString()).toBe("first");
    more();
    expect(Buffer.from((await body.next()).value ?? "").toString()).toBe("second");
    expect(await body.next()).toEqual({ done: true, value: undefined });
  });

  it("holds the server back while nobody reads", async () => {
    let written = 0;
    const { server } = await httpWire((_request, response) => {
      const chunk = Buffer.alloc(64 * 1024, 1);
      const write = (): void => {
        while (written < 200 * chunk.byteLength) {
          written += chunk.byteLength;
          if (!response.write(chunk)) {
            response.once("drain", write);
            return;
          }
        }
        response.end();
      };
      write();
    });
    const body = bodyOf(await open().call(callTo(server)));
    await expect
      .poll(
        async () => {
          const before = written;
          await new Promise((resolve) => setTimeout(resolve, 50));
          return written === before;
        },
        { timeout: 5000 },
      )
      .toBe(true);
    expect(written).toBeLessThan(200 * 64 * 1024);
    expect((await bytesOf(body)).byteLength).toBe(200 * 64 * 1024);
  });
});
