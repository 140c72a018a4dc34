import type { Gateway, SubmitRequest } from "@modelgate/core";
import { GatewayError } from "@modelgate/core";
import { afterEach, describe, expect, it } from "vitest";
import { handMadeGateway, operationsOf, taskRecord } from "./support/hand-made-gateway.ts";
import { HOSTS } from "./support/hosts.ts";
import { type Call, call } from "./support/http-client.ts";
import { type ModelServer, startModelServer } from "./support/model-server.ts";
import { startGateway } from "./support/real-gateway.ts";

const text = { "content-type": "text/plain" };

describe.each(HOSTS)("submitting over $host", ({ open }) => {
  const closers: (() => Promise<unknown>)[] = [];
  let gateway: Gateway;

  async function withServer(): Promise<{ url: string; server: ModelServer }> {
    const server = await startModelServer();
    const real = await startGateway({ nlp: server.url });
    gateway = real.gateway;
    const host = await open(gateway);
    closers.push(host.close, real.close, server.close);
    return { url: host.url, server };
  }

  /** Keeps what was submitted, and runs nothing. */
  async function recording(): Promise<{ url: string; submitted: SubmitRequest[] }> {
    const submitted: SubmitRequest[] = [];
    const submit = async (request: SubmitRequest) => {
      if (request.model !== "nlp") throw new GatewayError("MODEL_UNKNOWN", "no such model");
      submitted.push(request);
      return taskRecord();
    };
    const operations = () =>
      operationsOf({
        process: "text/plain",
        process_bulk: "application/json",
        train_supervised: "multipart/form-data",
        "of another protocol": undefined,
      });
    const host = await open(handMadeGateway({ submit: submit as Gateway["submit"], operations }));
    closers.push(host.close);
    return { url: host.url, submitted };
  }

  const post = (url: string, target: string, options: Call = {}) =>
    call(url, target, { method: "POST", headers: text, body: "a text", ...options });

  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  it("answers with an id and a sentence, with and without a slash", async () => {
    const { url } = await withServer();
    for (const path of ["/models/nlp/tasks/process", "/models/nlp/tasks/process/"]) {
      const answer = await post(url, path);
      expect(answer.status).toBe(200);
      expect(answer.json).toEqual({
        uuid: expect.stringMatching(/^[0-9a-f-]{36}$/),
        status: "Task submitted successfully",
      });
      expect((await gateway.get(answer.json.uuid)).model).toBe("nlp");
    }
  });

  it("sends body, query and content type to the server byte for byte", async () => {
    const { url, server } = await withServer();
    const body = Buffer.concat([Buffer.from([0, 0xff, 0xfe, 0xc3, 0x28, 10, 13]), Buffer.from("ü\u2028")]);
    const query = "a=1&priority=3&a=2&b=%2f%7E&empty=&flag&plus=a+b&amp;&%C3%A9='*!()";
    const contentType = 'text/plain;  charset="X-Odd"; x=1';
    const answer = await post(url, `/models/nlp/tasks/process?${query}`, {
      headers: { "content-type": contentType, prefer: "wait=10" },
      body,
    });
    expect(answer.status).toBe(200);
    expect(server.received).toHaveLength(1);
    expect(server.received[0]?.target).toBe(`/process?${query.replace("&priority=3", "")}`);
    expect(server.received[0]?.body.equals(body)).toBe(true);
    expect(server.received[0]?.headers["content-type"]).toBe(contentType);
  });

  it("passes a multipart body through as it is", async () => {
    const { url, server } = await withServer();
    const body = '--x y\r\ncontent-disposition: form-data; name="a"; filename="a"\r\n\r\n1\r\n--x y--\r\n';
    const contentType = 'multipart/form-data; boundary="x y"';
    await post(url, "/models/nlp/tasks/process_bulk_file", {
      headers: { "content-type": contentType, prefer: "wait=10" },
      body,
    });
    expect(server.received[0]?.body.toString()).toBe(body);
    expect(server.received[0]?.headers["content-type"]).toBe(contentType);
  });

  it.each([0, 32_768, 32_769, 3_000_000])(
    "takes a body of %i bytes, announced or in pieces",
    async (size) => {
      const { url, server } = await withServer();
      const body = Buffer.alloc(size, "0123456789");
      for (const headers of [{}, { "transfer-encoding": "chunked" }] as Record<string, string>[]) {
        const answer = await post(url, "/models/nlp/tasks/process", {
          headers: { ...text, ...headers, prefer: "wait=15" },
          body,
        });
        expect(answer.json).toEqual({ length: size });
      }
      expect(server.received.every((each) => each.body.equals(body))).toBe(true);
    },
  );

  describe("checks in this order:", () => {
    const wrong = { headers: {} };

    it("the model", async () => {
      const { url } = await recording();
      for (const options of [wrong, {}]) {
        const answer = await post(url, "/models/other/tasks/nothing?priority=99", options);
        expect(answer.status).toBe(503);
        expect(answer.json).toMatchObject({
          code: "MODEL_UNKNOWN",
          detail:
            "Model 'other' is not available. Running models: ['nlp']. On-demand models: []. List all models at /models",
        });
      }
      expect((await post(url, "/models/other/tasks/process")).status).toBe(503);
    });

    it("that there is a content type", async () => {
      const { url } = await recording();
      const answer = await post(url, "/models/nlp/tasks/nothing?priority=99", wrong);
      expect(answer.status).toBe(422);
      expect(answer.json).toMatchObject({
        detail: [{ type: "missing", loc: ["header", "content-type"], msg: "Field required", input: null }],
      });
    });

    it("the task's name", async () => {
      const { url } = await recording();
      const answer = await post(url, "/models/nlp/tasks/nothing?priority=99", {
        headers: { "content-type": "dummy" },
      });
      expect(answer.status).toBe(404);
      expect(answer.json.detail).toBe(
        "Task 'nothing' not found. Supported tasks are: process, process_bulk, train_supervised, of another protocol",
      );
    });

    it("the content type", async () => {
      const { url } = await recording();
      const answer = await post(url, "/models/nlp/tasks/process_bulk?priority=99", {
        headers: { "content-type": "application/xml" },
      });
      expect(answer.status).toBe(400);
      expect(answer.json).toMatchObject({ detail: "Unsupported content type: expected application/json" });
    });

    it("the priority", async () => {
      const { url, submitted } = await recording();
      const answer = await post(url, "/models/nlp/tasks/process?priority=11");
      expect(answer.status).toBe(422);
      expect(answer.json.detail).toEqual([
        {
          type: "less_than_equal",
          loc: ["query", "priority"],
          msg: "Input should be less than or equal to 10",
          input: "11",
          ctx: { le: 10 },
        },
      ]);
      expect(submitted).toEqual([]);
    });
  });

  it("takes text/plain for every task, whatever its case and parameters", async () => {
    const { url, submitted } = await recording();
    for (const task of ["process", "process_bulk", "train_supervised"]) {
      const headers = { "content-type": "Text/Plain; charset=utf-8" };
      expect((await post(url, `/models/nlp/tasks/${task}`, { headers })).status).toBe(200);
    }
    expect(submitted).toHaveLength(3);
  });

  it("names every task of CMS in CMS's order", async () => {
    const { url } = await withServer();
    expect((await post(url, "/models/nlp/tasks/x")).json.detail).toBe(
      "Task 'x' not found. Supported tasks are: info, process, process_jsonl, process_bulk, process_bulk_file, redact, redact_with_encryption, preview, preview_trainer_export, train_supervised, train_unsupervised, train_unsupervised_with_hf_hub_dataset, train_metacat, evaluate, sanity-check, iaa-scores, concat_trainer_exports, annotation-stats, embeddings, generate",
    );
  });

  it("reads the priority from the query before the header", async () => {
    const { url, submitted } = await recording();
    const headers = { ...text, "x-modelgate-priority": "2" };
    await post(url, "/models/nlp/tasks/process");
    await post(url, "/models/nlp/tasks/process", { headers });
    await post(url, "/models/nlp/tasks/process?priority=%39&x=1", { headers });
    await post(url, "/models/nlp/tasks/process?priority=0");
    expect(submitted.map((each) => each.priority)).toEqual([undefined, 2, 9, 0]);
    expect(submitted.map((each) => each.query)).toEqual(["", "", "x=1", ""]);
  });

  it.each(["high", "", "-1", "5.5", "1e1", "99999999999999999999"])(
    "refuses the priority %j",
    async (value) => {
      const { url, submitted } = await recording();
      const inQuery = await post(url, `/models/nlp/tasks/process?priority=${value}`);
      expect(inQuery.status).toBe(422);
      expect(inQuery.json.detail[0]).toMatchObject({ loc: ["query", "priority"], input: value });
      const inHeader = await post(url, "/models/nlp/tasks/process", {
        headers: { ...text, "x-modelgate-priority": value },
      });
      expect(inHeader.status).toBe(422);
      expect(inHeader.json.detail[0].loc).toEqual(["header", "x-modelgate-priority"]);
      expect(submitted).toEqual([]);
    },
  );

  it("notes where a task came from", async () => {
    const { url, submitted } = await recording();
    await post(url, "/models/nlp/tasks/process", { headers: { ...text, "user-agent": "python-httpx/0.28" } });
    await post(url, "/models/nlp/tasks/process");
    expect(submitted.map(({ source }) => source)).toEqual([
      "ip=127.0.0.1; ua=python-httpx/0.28",
      "ip=127.0.0.1; ua=N/A",
    ]);
  });
});
