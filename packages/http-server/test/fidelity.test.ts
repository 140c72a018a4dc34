import type { Gateway } from "@modelgate/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formBody } from "./support/forms.ts";
import { HOSTS, type OpenHost } from "./support/hosts.ts";
import { type Answer, call } from "./support/http-client.ts";
import { type ModelServer, startModelServer } from "./support/model-server.ts";
import { type RealGateway, startGateway } from "./support/real-gateway.ts";

const FORM = 'multipart/form-data; boundary="--- x=y"';
const form = formBody("--- x=y", [
  { name: "description", content: "first" },
  { name: "trainer_export", filename: "a.json", type: "application/json", content: '{"projects": []}' },
  {
    name: "trainer_export",
    filename: "a.json",
    type: 'text/x-odd; charset="x"',
    content: "\r\n----- x=yes\r\n",
  },
  { name: "description", content: "Übelkeit" },
  { name: "trainer_export", filename: "größe 1.bin", content: Buffer.from([0, 255, 13, 10, 45, 45, 13]) },
  { name: "empty", filename: "", content: "" },
]);
const json = Buffer.from('\n{ "n": 12345678901234567890.50, "n" : [1e400, -0, "\\u00e9é"] ,"x":NaN}\t\r\n');
const lines = Buffer.from('{"name":"1","text":"a"}\r\n\n {"name" : 2.0} \n{"name":"\\ud800"}');
const text = Buffer.concat([Buffer.from([0, 0xff, 0xfe, 0xc3, 0x28, 13, 10]), Buffer.from("ü\u2028 ")]);

const PLAIN = { type: "text/plain", body: text };
const MULTIPART = { type: FORM, body: form };
const TASKS: Readonly<Record<string, { type: string; body: Buffer }>> = {
  process: PLAIN,
  process_jsonl: { type: "application/x-ndjson", body: lines },
  process_bulk: { type: "application/json", body: json },
  process_bulk_file: MULTIPART,
  redact: PLAIN,
  redact_with_encryption: { type: "Application/JSON; charset=utf-8", body: json },
  preview: PLAIN,
  preview_trainer_export: MULTIPART,
  train_supervised: MULTIPART,
  train_unsupervised: MULTIPART,
  train_unsupervised_with_hf_hub_dataset: MULTIPART,
  train_metacat: MULTIPART,
  evaluate: MULTIPART,
  "sanity-check": MULTIPART,
  "iaa-scores": MULTIPART,
  concat_trainer_exports: MULTIPART,
  "annotation-stats": MULTIPART,
  embeddings: { type: "application/json", body: json },
  generate: PLAIN,
};
/** Where a task goes that is not named like its path. */
const PATHS: Readonly<Record<string, string>> = { embeddings: "/v1/embeddings" };
const TRACKED = /^(train_|evaluate)/;

describe.each(HOSTS)("what reaches the model server over $host", ({ open }) => {
  let server: ModelServer;
  let real: RealGateway;
  let gateway: Gateway;
  let host: OpenHost;

  beforeAll(async () => {
    server = await startModelServer();
    real = await startGateway({ nlp: server.url });
    gateway = real.gateway;
    host = await open(gateway);
  });

  afterAll(async () => {
    await host.close();
    await real.close();
    await server.close();
  });

  async function submit(
    task: string,
    query: string,
    headers: Record<string, string>,
    body: Uint8Array | undefined,
  ): Promise<Answer> {
    server.received.length = 0;
    return call(host.url, `/models/nlp/tasks/${task}${query}`, {
      method: "POST",
      headers: { prefer: "wait=15", ...headers },
      ...(body !== undefined && { body }),
    });
  }

  it("knows every task of CMS", () => {
    expect([...gateway.operations().keys()].sort()).toEqual(["info", ...Object.keys(TASKS)].sort());
  });

  it.each(Object.entries(TASKS))(
    "is the body of %s, its type and its query, byte for byte",
    async (task, each) => {
      const query = "?b=2&a=1&b=1&empty=&flag&a=%2f+%7e";
      for (const framing of [{}, { "transfer-encoding": "chunked" }] as Record<string, string>[]) {
        const answer = await submit(task, query, { "content-type": each.type, ...framing }, each.body);
        expect(answer.status).toBe(200);
        const [received] = server.received;
        expect(received?.body.equals(each.body)).toBe(true);
        expect(received?.headers["content-type"]).toBe(each.type);
        const added = TRACKED.test(task) ? `&tracking_id=${answer.headers["x-task-uuid"]}` : "";
        expect(received?.target).toBe(`${PATHS[task] ?? `/${task}`}${query}${added}`);
      }
    },
  );

  it.each(Object.keys(TASKS))("is plain text for %s too, unlooked at", async (task) => {
    const answer = await submit(task, "", { "content-type": "text/plain" }, Buffer.from("[not JSON"));
    expect(answer.status).toBe(200);
    expect(server.received[0]?.body.toString()).toBe("[not JSON");
  });

  it("is nothing for info, which answers with what the server says of itself", async () => {
    for (const headers of [{ "content-type": "application/json" }, {}] as Record<string, string>[]) {
      const answer = await submit("info", "", headers, undefined);
      expect(answer.status).toBe(200);
      expect(answer.text).toBe(server.info);
    }
  });

  it.each([
    ["process", "text/plain"],
    ["process_jsonl", "application/x-ndjson"],
    ["train_unsupervised_with_hf_hub_dataset", FORM],
  ])("is an empty body for %s", async (task, type) => {
    const answer = await submit(task, "", { "content-type": type, "content-length": "0" }, undefined);
    expect(answer.status).toBe(200);
    expect(server.received[0]?.body.byteLength).toBe(0);
    expect(server.received[0]?.headers["content-type"]).toBe(type);
  });

  it("is an empty form where a form was to be sent, and neither a body nor a type came", async () => {
    const query = "?hf_dataset_repo_id=imdb";
    const answer = await submit("train_unsupervised_with_hf_hub_dataset", query, {}, undefined);
    expect(answer.status).toBe(200);
    expect(server.received[0]?.headers["content-type"]).toBe("application/x-www-form-urlencoded");
    expect(server.received[0]?.body.byteLength).toBe(0);
  });

  it.each([
    ["process", PLAIN.type, Buffer.alloc(3_000_000, "a note\xff", "latin1")],
    ["process_bulk", "application/json", Buffer.from(JSON.stringify(Array(60_000).fill("Maß, €, 😀 \n")))],
    [
      "process_jsonl",
      "application/x-ndjson",
      Buffer.from(`${JSON.stringify({ text: "ä".repeat(99) })}\n`.repeat(9_000)),
    ],
    [
      "process_bulk_file",
      FORM,
      formBody(
        "--- x=y",
        Array(3).fill({ name: "f", filename: "f", content: Buffer.alloc(999_999, "\r\n--- x=") }),
      ),
    ],
  ])("is a large body of %s, streamed", async (task, type, body) => {
    const answer = await submit(task, "", { "content-type": type }, body);
    expect(answer.status).toBe(200);
    expect(server.received[0]?.body.equals(body)).toBe(true);
  });

  it("is nothing of the keys that were meant for the gateway", async () => {
    const headers = { authorization: "Bearer secret-1", "x-modelgate-key": "secret-2", cookie: "secret-3" };
    await submit("process", "", { ...PLAIN_TYPE, ...headers, "idempotency-key": "secret-4" }, text);
    expect(JSON.stringify(server.received[0]?.headers)).not.toContain("secret");
  });
});

const PLAIN_TYPE = { "content-type": "text/plain" };
