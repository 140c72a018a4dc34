import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Running, start } from "./running.ts";

interface Answer {
  object: string;
  data: { object: string; index: number; embedding: number[] }[];
  model: string;
  usage: { prompt_tokens: number; total_tokens: number };
}

let running: Running;

beforeAll(async () => {
  running = await start({ modelName: "notes", engine: "echo" });
});

afterAll(() => running.close());

const post = (body: unknown, query = ""): Promise<Response> =>
  running.post(`/v1/embeddings${query}`, JSON.stringify(body), "application/json");

async function embed(input: string | string[]): Promise<Answer> {
  return (await (await post({ input, model: "any" })).json()) as Answer;
}

function cosine(a: readonly number[], b: readonly number[]): number {
  const dot = (x: readonly number[], y: readonly number[]): number =>
    x.reduce((sum, value, index) => sum + value * (y[index] ?? 0), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

describe("POST /v1/embeddings", () => {
  it("gives vectors that are alike where the meaning is", async () => {
    const { object, data, model, usage } = await embed([
      "The patient has a high temperature.",
      "He is running a fever.",
      "The invoice was paid on Monday.",
    ]);
    expect([object, model]).toEqual(["list", "notes"]);
    expect(data.map(({ object, index, embedding }) => [object, index, embedding.length])).toEqual([
      ["embedding", 0, 512],
      ["embedding", 1, 512],
      ["embedding", 2, 512],
    ]);
    const [temperature, fever, invoice] = data.map(({ embedding }) => embedding) as [
      number[],
      number[],
      number[],
    ];
    expect(cosine(temperature, fever)).toBeGreaterThan(cosine(temperature, invoice) + 0.15);
    expect(usage.total_tokens).toBe(usage.prompt_tokens);
    expect(usage.prompt_tokens).toBeGreaterThan(15);
  });

  it("gives a text the same vector alone and in a list", async () => {
    const [alone] = (await embed("nausea")).data;
    const [, inList] = (await embed(["Something else before it.", "nausea"])).data;
    expect(inList?.embedding).toEqual(alone?.embedding);
  });

  it("gives base64 of 32-bit floats where it is asked for", async () => {
    const response = await post({ input: "nausea", model: "any", encoding_format: "base64" });
    const { data } = (await response.json()) as { data: { embedding: string }[] };
    const bytes = Buffer.from(data[0]?.embedding ?? "", "base64");
    expect(bytes.length).toBe(512 * 4);
    const [plain] = (await embed("nausea")).data;
    expect(plain?.embedding.map((value) => Math.fround(value))).toEqual(
      Array.from({ length: 512 }, (_, index) => bytes.readFloatLE(index * 4)),
    );
  });

  it("says under which id it worked", async () => {
    const named = await post({ input: [], model: "any" }, "?tracking_id=e-1");
    expect([named.status, named.headers.get("x-cms-tracking-id")]).toEqual([200, "e-1"]);
    expect(await named.json()).toMatchObject({ data: [], usage: { total_tokens: 0 } });
    expect((await post({ input: [], model: "any" }, "?tracking_id=%21")).status).toBe(400);
  });

  it.each([
    [{ model: "a" }, [["missing", "body", "input"]]],
    [{ input: "a" }, [["missing", "body", "model"]]],
    [
      { input: 1, model: 2 },
      [
        ["string_type", "body", "input", "str"],
        ["list_type", "body", "input", "list[str]"],
        ["string_type", "body", "model"],
      ],
    ],
    [
      { input: ["a", 5], model: "a" },
      [
        ["string_type", "body", "input", "str"],
        ["string_type", "body", "input", "list[str]", 1],
      ],
    ],
  ])("refuses %j", async (body, expected) => {
    const response = await post(body);
    expect(response.status).toBe(422);
    const { detail } = (await response.json()) as { detail: { type: string; loc: unknown[] }[] };
    expect(detail.map(({ type, loc }) => [type, ...loc])).toEqual(expected);
  });

  it.each([
    [{ input: "" }, "input", "empty_input"],
    [{ input: ["a", "x".repeat(10_001)] }, "input", "context_length_exceeded"],
    [{ input: "a", encoding_format: "int8" }, "encoding_format", "invalid_value"],
  ])("refuses in OpenAI's form what it cannot embed", async (body, param, code) => {
    const response = await post({ model: "any", ...body });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { type: "invalid_request_error", param, code } });
  });
});
