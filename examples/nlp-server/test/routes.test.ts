import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readNotes } from "./quality.ts";
import { type Running, sha256, start } from "./running.ts";

const note = "😀 John Smith was seen in Berlin on 12 March 2024.";
let running: Running;

beforeAll(async () => {
  running = await start({ modelName: "notes", maxBodyBytes: 64 * 1024 });
});

afterAll(() => running.close());

async function get(path: string, method = "GET"): Promise<Response> {
  return fetch(running.url + path, { method, redirect: "manual" });
}

async function detailOf(response: Response): Promise<unknown> {
  expect(response.status).toBe(422);
  const { detail } = (await response.json()) as { detail: unknown[] };
  return detail[0];
}

describe("the routes about the server", () => {
  it("say that it lives, what it is and what it serves", async () => {
    const health = await get("/healthz");
    expect([health.status, health.headers.get("content-type"), await health.text()]).toEqual([
      200,
      "text/plain; charset=utf-8",
      "OK",
    ]);
    expect(await (await get("/readyz")).text()).toBe("nlp_rules");
    expect(await (await get("/info")).json()).toMatchObject({
      api_version: "0.3.0",
      model_type: "nlp_rules",
      model_description: "notes",
      model_card: { "Model ID": "notes" },
      labels: null,
    });
  });

  it("refuse other methods and unknown paths", async () => {
    const wrong = await get("/process");
    expect([wrong.status, wrong.headers.get("allow"), await wrong.json()]).toEqual([
      405,
      "POST",
      { detail: "Method Not Allowed" },
    ]);
    expect((await get("/readyz", "HEAD")).status).toBe(405);
    expect((await running.post("/info", "x")).headers.get("allow")).toBe("GET");
    const unknown = await get("/nothing");
    expect([unknown.status, await unknown.json()]).toEqual([404, { detail: "Not Found" }]);
  });

  it("lead from a trailing slash to the route", async () => {
    const response = await get("/info/?a=b");
    expect([response.status, response.headers.get("location")]).toEqual([307, `${running.url}/info?a=b`]);
  });

  it("have no control routes without --faults", async () => {
    expect((await get("/_stats")).status).toBe(404);
    expect((await running.fault({ kind: "hang" })).status).toBe(404);
  });
});

describe("POST /process", () => {
  it("gives the text and its annotations", async () => {
    const response = await running.post("/process?tracking_id=x", note);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.json()).toEqual({
      text: note,
      annotations: [
        { start: 2, end: 12, label_name: "Person", label_id: "PERSON", text: "John Smith", meta_anns: {} },
        { start: 25, end: 31, label_name: "Place", label_id: "PLACE", text: "Berlin", meta_anns: {} },
        { start: 35, end: 48, label_name: "Date", label_id: "DATE", text: "12 March 2024", meta_anns: {} },
      ],
    });
  });

  it("gives no annotations where there is nothing to find", async () => {
    expect(await (await running.post("/process", "all is well")).json()).toEqual({
      text: "all is well",
      annotations: [],
    });
  });

  it("takes a JSON string as JSON", async () => {
    const response = await running.post("/process", JSON.stringify(note), "application/json");
    expect(await response.json()).toMatchObject({ text: note });
  });

  it("refuses what is no text", async () => {
    expect(await detailOf(await running.post("/process", ""))).toEqual({
      type: "missing",
      loc: ["body"],
      msg: "Field required",
      input: null,
    });
    expect(await detailOf(await running.post("/process", "{}", "application/json"))).toMatchObject({
      type: "string_type",
      loc: ["body"],
    });
    expect(await detailOf(await running.post("/process", "not json", "application/json"))).toMatchObject({
      type: "json_invalid",
    });
    const untyped = await fetch(`${running.url}/process`, { method: "POST", body: Buffer.from("a note") });
    expect(await detailOf(untyped)).toMatchObject({ type: "json_invalid" });
  });

  it("fails on bytes that are no UTF-8, as CMS does", async () => {
    const response = await running.post("/process", Buffer.from([0x63, 0x61, 0x66, 0xe9]));
    expect([response.status, await response.json()]).toEqual([
      500,
      { message: "'utf-8' codec can't decode the request body" },
    ]);
  });

  it("refuses a body that is too large", async () => {
    const response = await running.post("/process", "x".repeat(64 * 1024 + 1));
    expect([response.status, await response.json()]).toEqual([
      413,
      { message: "The request body is too large." },
    ]);
    expect((await running.post("/process", "x ".repeat(32 * 1024))).status).toBe(200);
  });
});

describe("POST /process_bulk", () => {
  it("gives one result for each text, in order", async () => {
    const texts = ["", ...readNotes().map((each) => each.text), note];
    const response = await running.post("/process_bulk", JSON.stringify(texts), "application/json");
    const results = (await response.json()) as { text: string }[];
    expect(results.map((result) => result.text)).toEqual(texts);
    expect(results.at(-1)).toEqual(await (await running.post("/process", note)).json());
    expect(results[0]).toEqual({ text: "", annotations: [] });
  });

  it("gives an empty list for an empty list", async () => {
    expect(await (await running.post("/process_bulk", "[]", "application/json")).json()).toEqual([]);
  });

  it.each([
    ["an object", "{}", "application/json", "list_type", ["body"]],
    ["an item that is no text", '["a",1]', "application/json", "string_type", ["body", 1]],
    ["broken JSON", "[", "application/json", "json_invalid", ["body", 0]],
    ["plain text", "[]", "text/plain", "list_type", ["body"]],
    ["nothing", "", "application/json", "missing", ["body"]],
  ])("refuses %s", async (_, body, contentType, type, loc) => {
    const detail = (await detailOf(await running.post("/process_bulk", body, contentType))) as {
      loc: unknown[];
    };
    expect(detail).toMatchObject({ type });
    expect(detail.loc.slice(0, loc.length)).toEqual(
      type === "json_invalid" ? ["body", expect.any(Number)] : loc,
    );
  });
});

describe("POST /process_jsonl", () => {
  const post = (body: string): Promise<Response> =>
    running.post("/process_jsonl", body, "application/x-ndjson");

  it("streams a line for each annotation, under the name or number of its document", async () => {
    const lines = [
      { text: note, name: "a" },
      { text: "nothing here" },
      { text: note },
      { text: note, name: null },
    ];
    const response = await post(`${lines.map((line) => JSON.stringify(line)).join("\r\n")}\n`);
    expect(response.headers.get("content-type")).toBe("application/x-ndjson; charset=utf-8");
    expect(response.headers.get("transfer-encoding")).toBe("chunked");
    const found = (await response.text())
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(found.map(({ doc_name, text }) => [doc_name, text])).toEqual(
      ["a", "2", "3"].flatMap((name) =>
        ["John Smith", "Berlin", "12 March 2024"].map((text) => [name, text]),
      ),
    );
    expect(Object.keys(found[0] ?? {})[0]).toBe("doc_name");
  });

  it("sends the first lines before the last document is read", async () => {
    const many = Array.from({ length: 150 }, (_, index) => JSON.stringify({ text: note, name: `${index}` }));
    const response = await post(many.join("\n"));
    const { value } = (await response.body?.getReader().read()) ?? {};
    expect(value?.length).toBeGreaterThan(0);
    expect(value?.length).toBeLessThan(150 * 100);
    await response.body?.cancel().catch(() => undefined);
  });

  it("may answer with nothing", async () => {
    const response = await post('{"text":"nothing here"}');
    expect([response.status, await response.text()]).toEqual([200, ""]);
  });

  it.each([
    ["a broken line", '{"text":"a"}\n{"text":', "Invalid JSON Lines."],
    ["a blank line", '{"text":"a"}\n\n{"text":"b"}', "Invalid JSON Lines."],
    ["a broken line at the end", `${'{"text":"a"}\n'.repeat(6)}nope`, "Invalid JSON Lines."],
    ["an extra key", '{"text":"a","id":1}', "Invalid properties found. The schema should be {"],
    ["a missing text", '{"name":"a"}', "Invalid properties found. The schema should be {"],
  ])("refuses %s before it sends anything", async (_, body, sentence) => {
    const response = await post(body);
    expect(response.status).toBe(400);
    expect(((await response.json()) as { message: string }).message.startsWith(sentence)).toBe(true);
  });

  it("refuses an empty body", async () => {
    expect(await detailOf(await post(""))).toMatchObject({ type: "missing" });
  });
});

describe("POST /redact", () => {
  const redacted = async (query: string, text = note): Promise<string> =>
    (await running.post(`/redact${query}`, text)).text();

  it("puts the label in place of what was found", async () => {
    const response = await running.post("/redact", note);
    expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(await response.text()).toBe("😀 [Person] was seen in [Place] on [Date].");
  });

  it("takes a mask or hashes", async () => {
    expect(await redacted("?mask=%2A%2A%2A")).toBe("😀 *** was seen in *** on ***.");
    expect(await redacted("?mask=")).toBe("😀 [Person] was seen in [Place] on [Date].");
    const [person, place, date] = ["John Smith", "Berlin", "12 March 2024"].map(sha256);
    expect(await redacted("?hash=true&mask=x")).toBe(`😀 ${person} was seen in ${place} on ${date}.`);
  });

  it("keeps every concept that is named, by its id", async () => {
    expect(await redacted("?concepts_to_keep=PERSON&concepts_to_keep=DATE")).toBe(
      "😀 John Smith was seen in [Place] on 12 March 2024.",
    );
    expect(await redacted("?concepts_to_keep=Person")).toContain("[Person]");
  });

  it("warns only where it is asked to and nothing was found", async () => {
    const warning = "WARNING: No entities were detected for redaction.";
    expect(await redacted("?warn_on_no_redaction=yes", "all is well")).toBe(warning);
    expect(await redacted("", "all is well")).toBe("all is well");
    expect(await redacted("?warn_on_no_redaction=1&concepts_to_keep=PERSON", "John Smith")).toBe(
      "John Smith",
    );
  });

  it("refuses a flag that is none", async () => {
    expect(await detailOf(await running.post("/redact?hash=maybe", note))).toEqual({
      type: "bool_parsing",
      loc: ["query", "hash"],
      msg: "Input should be a valid boolean, unable to interpret input",
      input: "maybe",
    });
  });
});

describe("a client that sends slowly", () => {
  it("is answered once its text is whole", async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const outgoing = request(`${running.url}/process`, {
        method: "POST",
        headers: { "content-type": "text/plain" },
      });
      outgoing.on("response", (response) => resolve(response.resume().statusCode));
      outgoing.on("error", reject);
      outgoing.write(Buffer.from("😀").subarray(0, 2));
      setTimeout(() => outgoing.end(Buffer.from("😀").subarray(2)), 50);
    });
    expect(status).toBe(200);
  });
});
