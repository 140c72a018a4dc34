import { type Gateway, GatewayError, type TaskRecord, type TaskResult } from "@modelgate/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readRange } from "../src/byte-range.ts";
import { type DurableGateway, startDurableGateway } from "./support/durable-gateway.ts";
import { handMadeGateway, taskRecord } from "./support/hand-made-gateway.ts";
import { HOSTS, type OpenHost } from "./support/hosts.ts";
import { type Answer, call } from "./support/http-client.ts";
import { type ModelServer, startModelServer } from "./support/model-server.ts";

const LARGE = 300_000;

describe.each(HOSTS)("downloading a result over $host", ({ open }) => {
  let server: ModelServer;
  let real: DurableGateway;
  let host: OpenHost;
  const ids = { small: "", large: "", empty: "" };

  beforeAll(async () => {
    server = await startModelServer();
    real = await startDurableGateway({ nlp: server.url });
    host = await open(real.gateway);
    for (const [size, body] of [
      ["small", "a text"],
      ["large", `large:${LARGE}`],
      ["empty", "large:0"],
    ] as const) {
      const { id } = await real.gateway.submit({ model: "nlp", operation: "process", payload: body });
      await real.gateway.wait(id, { timeoutMs: 10_000 });
      ids[size] = id;
    }
  });

  afterAll(async () => {
    await host.close();
    await real.close();
    await server.close();
  });

  const get = (id: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> =>
    call(host.url, `/tasks/${id}?download=true`, { method, headers });

  it("has a name for these very bytes, and says that parts of them can be had", async () => {
    for (const [id, size] of [
      [ids.small, 12],
      [ids.large, LARGE],
      [ids.empty, 0],
    ] as const) {
      for (const method of ["GET", "HEAD"]) {
        const answer = await get(id, {}, method);
        expect(answer.status).toBe(200);
        expect(answer.headers).toMatchObject({
          etag: `"${id}-1"`,
          "accept-ranges": "bytes",
          "content-length": String(size),
          "content-type": id === ids.small ? 'application/json; profile="own"' : "application/octet-stream",
        });
        expect(answer.body.byteLength).toBe(method === "HEAD" ? 0 : size);
      }
    }
  });

  it.each([
    ["bytes=0-3", 0, 3],
    ["bytes=2-2", 2, 2],
    ["bytes=9-", 9, 11],
    ["bytes=-1", 11, 11],
    ["bytes=-4", 8, 11],
    ["bytes=-400", 0, 11],
    ["BYTES=10-9999999999999999999999", 10, 11],
  ])("gives the part %s", async (range, start, end) => {
    const answer = await get(ids.small, { range });
    expect(answer.status).toBe(206);
    expect(answer.text).toBe('{"length":6}'.slice(start, end + 1));
    expect(answer.headers["content-range"]).toBe(`bytes ${start}-${end}/12`);
    expect(answer.headers["content-length"]).toBe(String(answer.body.byteLength));
    expect(answer.headers).toMatchObject({
      etag: `"${ids.small}-1"`,
      "accept-ranges": "bytes",
      "x-task-status": "succeeded",
      "content-type": 'application/json; profile="own"',
    });
  });

  it("gives parts of a large result without reading the rest", async () => {
    const whole = (await get(ids.large)).body;
    for (const [range, start, end] of [
      ["bytes=100000-199999", 100_000, 199_999],
      ["bytes=-5", LARGE - 5, LARGE - 1],
      ["bytes=299999-", LARGE - 1, LARGE - 1],
    ] as const) {
      const answer = await get(ids.large, { range });
      expect(answer.status).toBe(206);
      expect(answer.headers["content-range"]).toBe(`bytes ${start}-${end}/${LARGE}`);
      expect(answer.headers["content-length"]).toBe(String(end - start + 1));
      expect(answer.body.equals(whole.subarray(start, end + 1))).toBe(true);
    }
  });

  it.each(["bytes=12-", "bytes=12-20", "bytes=-0", "bytes=99999999999999999999-"])(
    "refuses %s, which is none of it",
    async (range) => {
      const answer = await get(ids.small, { range });
      expect(answer.status).toBe(416);
      expect(answer.headers["content-range"]).toBe("bytes */12");
      expect(answer.json).toMatchObject({ status: 416, title: "Range Not Satisfiable" });
    },
  );

  it.each([
    "bytes=0-1,3-4",
    "bytes=5-2",
    "bytes=",
    "bytes=-",
    "bytes=a-b",
    "lines=0-1",
    "0-1",
    "bytes=0-1, ",
  ])("gives the whole for %j", async (range) => {
    const answer = await get(ids.small, { range });
    expect(answer.status).toBe(200);
    expect(answer.text).toBe('{"length":6}');
    expect(answer.headers["content-range"]).toBeUndefined();
  });

  it("gives the whole of nothing, and the head of the whole", async () => {
    expect((await get(ids.empty, { range: "bytes=0-" })).status).toBe(200);
    const head = await get(ids.small, { range: "bytes=0-1" }, "HEAD");
    expect(head.status).toBe(200);
    expect(head.headers["content-length"]).toBe("12");
  });

  it("gives a part only of the bytes that were meant", async () => {
    const range = "bytes=0-0";
    const tag = `"${ids.small}-1"`;
    expect((await get(ids.small, { range, "if-range": tag })).status).toBe(206);
    for (const other of [`"${ids.small}-2"`, `W/${tag}`, "Fri, 20 Nov 2026 23:11:56 GMT"]) {
      expect((await get(ids.small, { range, "if-range": other })).status).toBe(200);
    }
  });

  it("says that nothing has changed to whoever has it", async () => {
    const tag = `"${ids.large}-1"`;
    for (const seen of [tag, `W/${tag}`, `"x", ${tag}`, "*"]) {
      for (const method of ["GET", "HEAD"]) {
        const answer = await get(ids.large, { "if-none-match": seen, range: "bytes=0-1" }, method);
        expect(answer.status).toBe(304);
        expect(answer.headers["etag"]).toBe(tag);
        expect(answer.body.byteLength).toBe(0);
      }
    }
    expect((await get(ids.large, { "if-none-match": '"other"' })).body.byteLength).toBe(LARGE);
  });

  it("is JSON or 410 as ever where there is no result", async () => {
    const forgotten = taskRecord({ state: "succeeded", result: { sizeBytes: 3, isForgotten: true } });
    const pending = taskRecord();
    for (const [task, status] of [
      [forgotten, 410],
      [pending, 200],
    ] as const) {
      const result = async (): Promise<never> => {
        throw new GatewayError(task === pending ? "TASK_NOT_ENDED" : "RESULT_EXPIRED", "not there");
      };
      const opened = await open(handMadeGateway({ get: async () => task, result }));
      for (const headers of [{ range: "bytes=0-1" }, { "if-none-match": "*" }] as Record<string, string>[]) {
        expect((await call(opened.url, "/tasks/task-1?download=1", { headers })).status).toBe(status);
      }
      await opened.close();
    }
  });

  it("names the attempt that gave the result", async () => {
    const task = taskRecord({ state: "succeeded", attempt: 3 }) as TaskResult["task"];
    const result: Gateway["result"] = async () => ({ task, sizeBytes: 0, body: (async function* () {})() });
    const opened = await open(handMadeGateway({ result, get: async () => task as TaskRecord }));
    expect((await call(opened.url, "/tasks/task-1?download=1")).headers["etag"]).toBe('"task-1-3"');
    await opened.close();
  });
});

describe("a range", () => {
  it("is read as RFC 9110 has it", () => {
    expect(readRange("bytes=0-0", 1)).toEqual({ start: 0, end: 0 });
    expect(readRange("bytes=0-", 10)).toEqual({ start: 0, end: 9 });
    expect(readRange("bytes=-3", 10)).toEqual({ start: 7, end: 9 });
    expect(readRange("bytes=-3", 2)).toEqual({ start: 0, end: 1 });
    expect(readRange("bytes=9-20", 10)).toEqual({ start: 9, end: 9 });
    expect(readRange("bytes=10-", 10)).toBe("unsatisfiable");
    expect(readRange("bytes=-0", 10)).toBe("unsatisfiable");
    expect(readRange("bytes=3-2", 10)).toBeUndefined();
    expect(readRange("bytes=0-0", 0)).toBeUndefined();
  });
});
