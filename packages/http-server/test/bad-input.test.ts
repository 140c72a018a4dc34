import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DurableGateway, startDurableGateway } from "./support/durable-gateway.ts";
import { formBody } from "./support/forms.ts";
import { HOSTS, type OpenHost } from "./support/hosts.ts";
import { type Answer, call, openSocket } from "./support/http-client.ts";
import { type ModelServer, startModelServer } from "./support/model-server.ts";

const MIB = 1024 * 1024;
const MAX_BODY = 64 * MIB;

const JSON_TYPE = "application/json";
const LINES = "application/x-ndjson";
const FORM = "multipart/form-data; boundary=b";
const good = formBody("b", [{ name: "file", filename: "a.json", type: JSON_TYPE, content: "{}" }]).toString();
const largeForm = formBody("b", [{ name: "file", filename: "a.json", content: Buffer.alloc(40 * MIB) }]);
const largeJson = Buffer.from(`[${'"a note of nothing in particular",'.repeat(1_200_000)}null]`);
const file = (name: string): string => good.replace("a.json", name);

interface Bad {
  readonly task?: string;
  readonly path?: string;
  readonly type?: string | undefined;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array;
  /** What is expected. */
  readonly status: number;
  readonly says: string | RegExp;
  readonly loc?: readonly (string | number)[];
}

/** Each is refused for one reason, which the answer names. `loc` is the field of a 422. */
const TABLE: Readonly<Record<string, Bad>> = {
  "an unknown task": {
    task: "translate",
    status: 404,
    says: "Task 'translate' not found. Supported tasks are:",
  },
  "a task whose name has a NUL": { task: "a%00b", status: 404, says: "Task 'a\0b' not found" },
  "a task that is badly encoded": {
    task: "%c3%28",
    status: 400,
    says: "The task in the path is not percent-encoded",
  },
  "an unknown model": {
    path: "/models/other/tasks/process",
    status: 503,
    says: "Model 'other' is not available",
  },
  "an unknown model with a bad body": {
    ...{ path: "/models/other/tasks/process_bulk", type: JSON_TYPE, body: "[", status: 503 },
    says: "Model 'other' is not available",
  },
  "an unknown model without a boundary": {
    ...{ path: "/models/other/tasks/evaluate", type: "multipart/form-data", status: 503 },
    says: "Model 'other' is not available",
  },
  "a model whose name has a NUL": {
    ...{
      path: "/models/a%00b/tasks/process",
      status: 422,
      loc: ["path", "model"],
      says: "control characters",
    },
  },
  "a model whose name is too long": {
    ...{ path: `/models/${"m".repeat(257)}/tasks/process`, status: 422, loc: ["path", "model"] },
    says: "256 characters",
  },
  "a model that is badly encoded": {
    ...{
      path: "/models/%zz/tasks/process",
      status: 400,
      says: "The model in the path is not percent-encoded",
    },
  },
  "a path that climbs": { path: "/tasks/../../etc/passwd", status: 404, says: "Not Found" },
  "no content type": {
    type: undefined,
    status: 422,
    loc: ["header", "content-type"],
    says: "Field required",
  },
  "a wrong content type": {
    type: JSON_TYPE,
    status: 400,
    says: "Unsupported content type: expected text/plain",
  },
  "a content type that is none": {
    type: ";;",
    status: 400,
    says: "Unsupported content type: expected text/plain",
  },
  "a packed body": {
    ...{ headers: { "content-encoding": "gzip" }, status: 415, says: "without a Content-Encoding" },
  },
  "more than a thousand query keys": {
    ...{ path: `/models/nlp/tasks/process?${"k&".repeat(1_001)}`, status: 422, loc: ["query"], says: "1000" },
  },
  "ten thousand query keys": {
    ...{ path: `/models/nlp/tasks/process?${"k&".repeat(10_000)}`, status: 414, says: "16384" },
  },
  "a priority that is none": {
    ...{ path: "/models/nlp/tasks/process?priority=high", status: 422, loc: ["query", "priority"] },
    says: "valid integer",
  },
  "an idempotency key that is none": {
    ...{ headers: { "idempotency-key": "a b" }, status: 422, loc: ["header", "idempotency-key"] },
    says: "255 visible ASCII",
  },
  "malformed JSON": {
    ...{ task: "process_bulk", type: JSON_TYPE, body: '["a",\n "secret" "b"]', status: 422, loc: ["body"] },
    says: "The body is not JSON: a comma or ] was expected (line 2, byte 11; byte 16 of the whole, from 0)",
  },
  "truncated JSON": {
    ...{
      task: "process_bulk",
      type: JSON_TYPE,
      body: '["a",',
      status: 422,
      loc: ["body"],
      says: "ends too early",
    },
  },
  "an empty body for JSON": {
    ...{
      task: "redact_with_encryption",
      type: JSON_TYPE,
      body: "",
      status: 422,
      loc: ["body"],
      says: "it is empty",
    },
  },
  "JSON in Latin-1": {
    ...{
      task: "process_bulk",
      type: JSON_TYPE,
      body: Buffer.from('["Größe"]', "latin1"),
      status: 422,
      loc: ["body"],
    },
    says: "it is not UTF-8",
  },
  "JSON in UTF-16": {
    ...{
      task: "process_bulk",
      type: JSON_TYPE,
      body: Buffer.from('["a"]', "utf16le"),
      status: 422,
      loc: ["body"],
    },
    says: "it is not UTF-8",
  },
  "JSON that is nested too deep": {
    ...{
      task: "process_bulk",
      type: JSON_TYPE,
      body: "[".repeat(5_000),
      status: 422,
      loc: ["body"],
      says: "1000",
    },
  },
  "malformed NDJSON": {
    ...{
      task: "process_jsonl",
      type: LINES,
      body: '{"text":"a"}\n{"text":secret}\n',
      status: 422,
      loc: ["body"],
    },
    says: "Line 2 of the body is not JSON: a value was expected (line 2, byte 9;",
  },
  "NDJSON over several lines": {
    ...{ task: "process_jsonl", type: LINES, body: '{"a":1}\n{\n"a":2}', status: 422, loc: ["body"] },
    says: "Line 2 of the body is not JSON: the line ends too early",
  },
  "no boundary": {
    ...{ task: "evaluate", type: "multipart/form-data", body: good, status: 400 },
    says: /^Missing boundary in multipart\.$/,
  },
  "a truncated form": {
    ...{ task: "evaluate", type: FORM, body: good.slice(0, -9), status: 400 },
    says: "Invalid multipart data: it ends in part 1, before its closing boundary.",
  },
  "another boundary": {
    ...{ task: "evaluate", type: "multipart/form-data; boundary=c", body: good, status: 400 },
    says: "it does not begin with the boundary",
  },
  "a part without a name": {
    ...{
      task: "evaluate",
      type: FORM,
      body: good.replace('name="file"; ', ""),
      status: 400,
      says: "part 1 has no name",
    },
  },
  "a part with a huge head": {
    ...{
      task: "evaluate",
      type: FORM,
      body: file("x".repeat(9_000)),
      status: 400,
      says: "larger than 8192 bytes",
    },
  },
  "a file name that climbs": {
    ...{
      task: "evaluate",
      type: FORM,
      body: file("../../a.json"),
      status: 422,
      loc: ["body", "file"],
      says: '".."',
    },
  },
  "a file name with a NUL": {
    ...{ task: "evaluate", type: FORM, body: file("a\0.json"), status: 422, loc: ["body", "file"] },
    says: "The file name of part 1 has a control character",
  },
  "a field name with a NUL": {
    ...{
      task: "evaluate",
      type: FORM,
      body: good.replace('"file"', '"fi\0le"'),
      status: 422,
      loc: ["body", "part 1"],
    },
    says: "The name of part 1 has a control character",
  },
  "a body that is announced as too large": {
    ...{
      headers: { "content-length": String(MAX_BODY + 1) },
      status: 413,
      says: `the ${MAX_BODY} bytes allowed`,
    },
  },
  "a body that turns out to be too large": {
    ...{ headers: { "transfer-encoding": "chunked" }, body: Buffer.alloc(MAX_BODY + 1), status: 413 },
    says: `the ${MAX_BODY} bytes allowed`,
  },
  "large JSON that is malformed at its end": {
    ...{ task: "process_bulk", type: JSON_TYPE, body: largeJson.subarray(0, -1), status: 422, loc: ["body"] },
    says: "ends too early",
  },
  "a large form that is truncated": {
    ...{
      task: "process_bulk_file",
      type: FORM,
      body: largeForm.subarray(0, -8),
      status: 400,
      says: "it ends in part 1",
    },
  },
  "a large form with a bad last part": {
    ...{ task: "process_bulk_file", type: FORM, status: 422, loc: ["body", "file"], says: '".."' },
    body: Buffer.concat([largeForm.subarray(0, -7), Buffer.from(`\r\n${file("../x")}`)]),
  },
};

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

describe.each(HOSTS)("bad input over $host", ({ open }) => {
  let server: ModelServer;
  let real: DurableGateway;
  let host: OpenHost;
  const errors: unknown[] = [];

  beforeAll(async () => {
    server = await startModelServer();
    real = await startDurableGateway({ nlp: server.url });
    host = await open(real.gateway, { maxBodyBytes: MAX_BODY, onError: (error) => errors.push(error) });
  });

  afterAll(async () => {
    await host.close();
    await real.close();
    await server.close();
  });

  function send({ task = "process", path, headers = {}, body = "a text", ...given }: Bad): Promise<Answer> {
    const type = "type" in given ? given.type : "text/plain";
    return call(host.url, path ?? `/models/nlp/tasks/${task}`, {
      method: "POST",
      headers: { ...(type !== undefined && { "content-type": type }), ...headers },
      body,
    });
  }

  async function expectNothingKept(): Promise<void> {
    expect(await real.kept()).toEqual({ tasks: 0, files: 0 });
    expect(server.received).toEqual([]);
    expect(errors).toEqual([]);
  }

  it.each(Object.entries(TABLE))("is refused: %s", async (_what, bad) => {
    const answer = await send(bad);
    expect(answer.status).toBe(bad.status);
    const { detail } = answer.json;
    if (bad.loc === undefined) expect(detail).toEqual(expect.any(String));
    else expect(detail.map((issue: { loc: unknown }) => issue.loc)).toEqual([bad.loc]);
    const words = bad.loc === undefined ? detail : detail[0].msg;
    if (typeof bad.says === "string") expect(words).toContain(bad.says);
    else expect(words).toMatch(bad.says);
    expect(answer.text).not.toContain("secret");
    expect(answer.json.status).toBe(bad.status);
    await expectNothingKept();
  });

  it("is let go: uploads of every kind whose clients hang up", async () => {
    for (const [task, type, body] of [
      ["process", "text/plain", Buffer.alloc(200_000)],
      ["process_bulk", JSON_TYPE, largeJson.subarray(0, 200_000)],
      ["process_jsonl", LINES, Buffer.from('{"a":1}\n'.repeat(20_000))],
      ["evaluate", FORM, largeForm.subarray(0, 200_000)],
      ["process", "text/plain", Buffer.alloc(100)],
    ] as const) {
      for (const framing of ["content-length: 900000", "transfer-encoding: chunked"]) {
        const socket = await openSocket(host.url);
        socket.write(
          `POST /models/nlp/tasks/${task} HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\nidempotency-key: k\r\n${framing}\r\n\r\n`,
        );
        if (framing.startsWith("transfer")) socket.write(`${(900_000).toString(16)}\r\n`);
        socket.write(body);
        if (body.byteLength > 32_768) await expect.poll(async () => (await real.kept()).files).toBe(1);
        else await sleep(20);
        socket.destroy();
        await expect.poll(async () => (await real.kept()).files).toBe(0);
      }
    }
    await sleep(50);
    await expectNothingKept();
  });

  it("is sent away, what comes into a full queue, and told when to come back", async () => {
    const full = await startDurableGateway({ nlp: server.url }, { maxWaiting: { tasks: 2 }, runs: false });
    const opened = await open(full.gateway);
    const body = Buffer.alloc(200_000);
    const post = () =>
      call(opened.url, "/models/nlp/tasks/process", {
        method: "POST",
        headers: { "content-type": "text/plain" },
        body,
      });
    for (const status of [200, 200, 429]) {
      const answer = await post();
      expect(answer.status).toBe(status);
      if (status === 429) {
        expect(answer.json).toMatchObject({ code: "QUEUE_FULL", status: 429 });
        expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
      }
    }
    expect(await full.kept()).toEqual({ tasks: 2, files: 2 });
    await opened.close();
    await full.close();
  });

  it("leaves no memory behind", async () => {
    const held = (): number => {
      collectGarbage();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    const large = Object.values(TABLE).filter(({ body }) => body !== undefined && body.length > MIB);
    expect(large.length).toBeGreaterThanOrEqual(4);
    for (const bad of large) await send(bad);
    await sleep(100);
    const before = held();
    for (let round = 0; round < 3; round += 1) for (const bad of large) await send(bad);
    await expect.poll(() => held() - before, { timeout: 10_000, interval: 100 }).toBeLessThan(8 * MIB);
    await expectNothingKept();
  });

  it("does no harm: what is well is taken as ever", async () => {
    const answer = await send({ headers: { prefer: "wait=10" }, status: 200, says: "" });
    expect(answer.status).toBe(200);
    expect(answer.text).toBe('{"length":6}');
  });
});
