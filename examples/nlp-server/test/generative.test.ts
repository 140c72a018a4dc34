import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Running, start } from "./running.ts";

let running: Running;

beforeAll(async () => {
  running = await start({ modelName: "my notes", generative: true });
});

afterAll(() => running.close());

const post = (path: string, body: unknown): Promise<Response> =>
  running.post(path, JSON.stringify(body), "application/json");

const get = async (path: string): Promise<unknown> => (await fetch(running.url + path)).json();

/** The values of the `data:` lines of an event stream; the last is not JSON. */
async function eventsOf(response: Response): Promise<{ events: Chunk[]; last: string }> {
  const lines = (await response.text()).split("\n\n");
  expect(lines.pop()).toBe("");
  const data = lines.map((line) => line.replace(/^data: /, ""));
  return { last: data.pop() ?? "", events: data.map((line) => JSON.parse(line) as Chunk) };
}

interface Chunk {
  id: string;
  object: string;
  choices: { delta?: { role?: string; content?: string }; text?: string; finish_reason: string | null }[];
  usage?: { prompt_tokens: number; completion_tokens: number; total_tokens: number };
}

const chat = { model: "any", messages: [{ role: "user", content: "The patient was" }], max_tokens: 12 };
const completion = { model: "any", prompt: "The patient was", max_tokens: 12 };

describe("the generative server", () => {
  it("says what it is, and has nothing of the model server", async () => {
    expect(await (await fetch(`${running.url}/readyz`)).text()).toBe("nlp_ngram");
    expect(await (await fetch(`${running.url}/healthz`)).text()).toBe("OK");
    expect(await get("/info")).toMatchObject({ model_type: "nlp_ngram", model_description: "my notes" });
    for (const path of ["/process", "/train_supervised", "/v1/embeddings", "/v1/chat/completions"]) {
      expect((await post(path, {})).status).toBe(404);
    }
  });

  it("lists its model", async () => {
    const about = { id: "my_notes", object: "model", created: 0, owned_by: "cms" };
    expect(await get("/openai/v1/models")).toEqual({ object: "list", data: [about] });
    expect(await get("/openai/v1/models/my_notes")).toMatchObject(about);
    const unknown = await fetch(`${running.url}/openai/v1/models/other`);
    expect([unknown.status, await unknown.json()]).toMatchObject([
      404,
      { error: { code: "model_not_found", type: "invalid_request_error" } },
    ]);
  });
});

describe("/generate", () => {
  it("gives a text, and what it took where that is asked for", async () => {
    const plain = await running.post("/generate?max_tokens=5&tracking_id=g-1", "The patient was");
    expect([plain.status, plain.headers.get("content-type")]).toEqual([200, "text/plain; charset=utf-8"]);
    expect([...plain.headers.keys()].filter((name) => name.startsWith("x-cms"))).toEqual([
      "x-cms-tracking-id",
    ]);
    expect(plain.headers.get("x-cms-tracking-id")).toBe("g-1");
    const told = await running.post("/generate?max_tokens=5&include_usage=true", "The patient was");
    expect(await told.text()).toBe(await plain.text());
    const usage = ["prompt", "completion", "total"].map((name) => `x-cms-gen-${name}-token-num`);
    expect(usage.map((name) => told.headers.get(name))).toEqual(["3", "5", "8"]);
  });

  it("takes several stop sequences", async () => {
    const whole = await (await running.post("/generate", "The patient was")).text();
    const query = `stop_sequences=never&stop_sequences=${encodeURIComponent(whole.slice(5, 9))}`;
    expect(await (await running.post(`/generate?${query}`, "The patient was")).text()).toBe(
      whole.slice(0, 5),
    );
  });

  it.each(["max_tokens=0", "temperature=-1", "top_p=x", "include_usage=maybe"])(
    "refuses %s",
    async (query) => {
      expect((await running.post(`/generate?${query}`, "a")).status).toBe(422);
    },
  );

  it("refuses an empty prompt", async () => {
    const response = await running.post("/generate", '""', "application/json");
    expect([response.status, await response.text()]).toEqual([400, "ERROR: No prompt text provided\n"]);
  });

  it("streams the same text in pieces", async () => {
    const whole = await (await running.post("/generate", "The patient was")).text();
    const response = await running.post("/stream/generate?include_usage=1", "The patient was");
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    const [text, trailer] = (await response.text()).split("\n\n<cms_token_usage>");
    expect(text).toBe(whole);
    expect(trailer).toMatch(
      /^Prompt tokens: 3; Completion tokens: \d+; Total tokens: \d+; TTFT in milliseconds: \d+; TPOT in milliseconds: \d+<\/cms_token_usage>$/,
    );
  });
});

describe.each([
  ["/openai/v1/chat/completions", chat, "chat.completion", "chat.completion.chunk"],
  ["/openai/v1/completions", completion, "text_completion", "text_completion"],
])("%s", (path, body, object, chunkObject) => {
  const textIn = ({ delta, text }: Chunk["choices"][number]): string => delta?.content ?? text ?? "";

  it("answers whole and in a stream with the same text", async () => {
    const whole = (await (await post(path, body)).json()) as {
      choices: { message?: { role: string; content: string }; text?: string; finish_reason: string }[];
    };
    expect(whole).toMatchObject({
      object,
      model: "my notes",
      usage: null,
      choices: [{ finish_reason: "length" }],
    });
    const choice = whole.choices[0];
    const text = choice?.message?.content ?? choice?.text ?? "";
    expect(text.length).toBeGreaterThan(10);

    const stream = { ...body, stream: true, stream_options: { include_usage: true } };
    const response = await running.post(
      `${path}?tracking_id=s-1`,
      JSON.stringify(stream),
      "application/json",
    );
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    const { events, last } = await eventsOf(response);
    expect(last).toBe("[DONE]");
    expect(events.every((event) => event.id === "s-1" && event.object === chunkObject)).toBe(true);
    const choices = events.flatMap((event) => event.choices);
    expect(choices.map(textIn).join("")).toBe(text);
    // One before the text, one for each token, one at its end.
    expect([choices.length, choices.at(-1)?.finish_reason]).toEqual([14, "length"]);
    expect(events.at(-1)?.usage).toEqual({ prompt_tokens: 3, completion_tokens: 12, total_tokens: 15 });
  });

  it("says what was used only where it is asked to", async () => {
    const { events } = await eventsOf(await post(path, { ...body, stream: true }));
    expect(events.some(({ usage }) => usage)).toBe(false);
    const told = await post(path, { ...body, stream_options: { include_usage: true } });
    expect(await told.json()).toMatchObject({ usage: { total_tokens: 15 } });
  });

  it.each([
    [{ max_tokens: 0 }, ["greater_than_equal", "body", "max_tokens"]],
    [{ temperature: 1.5 }, ["less_than_equal", "body", "temperature"]],
    [{ stop: ["a", 1] }, ["string_type", "body", "stop", "list[str]", 1]],
    [{ stream: "yes" }, ["bool_type", "body", "stream"]],
    [{ model: undefined }, ["missing", "body", "model"]],
    [{ messages: undefined, prompt: undefined }, ["missing", "body", expect.any(String)]],
  ])("refuses %j", async (more, expected) => {
    const response = await post(path, { ...body, ...more });
    const { detail } = (await response.json()) as { detail: { type: string; loc: unknown[] }[] };
    expect([response.status, ...detail.map(({ type, loc }) => [type, ...loc])]).toEqual([422, expected]);
  });

  it("refuses in OpenAI's form where there is nothing to go on from, and formats that it cannot keep", async () => {
    const empty = await post(path, { ...body, messages: [], prompt: "" });
    expect([empty.status, await empty.json()]).toMatchObject([400, { error: { code: "missing_field" } }]);
    const formatted = await post(path, { ...body, response_format: { type: "json_schema" } });
    expect(formatted.status).toBe(400);
  });
});

it("embeds under the prefix of the generative server", async () => {
  const response = await post("/openai/v1/embeddings", { input: "nausea", model: "any" });
  const { data } = (await response.json()) as { data: { embedding: number[] }[] };
  expect(data.map(({ embedding }) => embedding.length)).toEqual([512]);
  const ollama = await post("/ollama/api/embed", { input: ["nausea"], model: "any" });
  const { embeddings } = (await ollama.json()) as { embeddings: number[][] };
  expect(embeddings[0]).toEqual(data[0]?.embedding);
});

describe("Ollama's form", () => {
  it("is alive, with and without an answer's body", async () => {
    expect(await get("/ollama/")).toEqual({ status: "ok" });
    const head = await fetch(`${running.url}/ollama/`, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
    expect((await fetch(`${running.url}/readyz`, { method: "HEAD" })).status).toBe(405);
  });

  it("says its version and its model", async () => {
    expect(await get("/ollama/api/version")).toEqual({ version: "0.3.0" });
    expect(await get("/ollama/api/tags")).toMatchObject({ models: [{ name: "my_notes" }] });
    expect(await (await post("/ollama/api/show", { model: "my_notes" })).json()).toMatchObject({
      capabilities: ["completion", "chat", "create_embeddings"],
    });
    const unknown = await post("/ollama/api/show", { model: "other" });
    expect([unknown.status, await unknown.json()]).toEqual([404, { error: "model 'other' not found" }]);
  });

  it.each([
    ["generate", { prompt: "The patient was" }, (line: Line) => line.response],
    ["chat", { messages: chat.messages }, (line: Line) => line.message?.content],
  ])("%s is whole by default, and in lines where that is asked for", async (name, more, textIn) => {
    const body = { model: "any", ...more, options: { num_predict: 6 } };
    const whole = (await (await post(`/ollama/api/${name}`, body)).json()) as Line;
    expect(whole).toMatchObject({ model: "my_notes", done: true, prompt_eval_count: 3, eval_count: 6 });
    const response = await post(`/ollama/api/${name}`, { ...body, stream: true });
    expect(response.headers.get("content-type")).toBe("application/x-ndjson");
    const lines = (await response.text()).trimEnd().split("\n");
    const told = lines.map((line) => JSON.parse(line) as Line);
    expect(told.map(({ done }) => done)).toEqual([false, false, false, false, false, false, true]);
    expect(told.map(textIn).join("")).toBe(textIn(whole));
  });

  it("refuses in its own form what is empty", async () => {
    const generate = await post("/ollama/api/generate", { model: "any", prompt: "" });
    expect([generate.status, await generate.json()]).toEqual([400, { error: "prompt is required" }]);
    const talk = await post("/ollama/api/chat", { model: "any", messages: [] });
    expect([talk.status, await talk.json()]).toEqual([400, { error: "messages are required" }]);
  });

  interface Line {
    response?: string;
    message?: { content: string };
    done: boolean;
  }
});

it("counts tokens for Prometheus", async () => {
  const lines = (await (await fetch(`${running.url}/metrics`)).text()).split("\n");
  expect(lines.some((line) => /^cms_completion_tokens_sum\{handler="\/generate"\} [1-9]/.test(line))).toBe(
    true,
  );
  expect(
    lines.some((line) => line.startsWith('cms_ttft_milliseconds_count{handler="/ollama/api/chat"}')),
  ).toBe(true);
});

it("serves OpenAI's routes where older servers had them, if it is told to", async () => {
  const older = await start({ generative: true, legacyPrefix: true });
  const ask = (path: string): Promise<Response> =>
    older.post(`${path}/chat/completions`, JSON.stringify(chat), "application/json");
  expect([(await ask("/v1")).status, (await ask("/openai/v1")).status]).toEqual([200, 404]);
  await older.close();
});

describe("the vLLM form", () => {
  it("has its own routes, and none of health, authentication or training", async () => {
    const vllm = await start({ engine: "vllm", modelName: "llm", auth: { users: { ana: "secret" } } });
    const ask = (path: string, body: unknown): Promise<Response> =>
      vllm.post(path, JSON.stringify(body), "application/json");
    for (const path of ["/healthz", "/readyz", "/train_eval_info", "/openai/v1/models", "/ollama/"]) {
      expect((await fetch(vllm.url + path)).status).toBe(404);
    }
    expect((await ask("/auth/jwt/login", {})).status).toBe(404);
    for (const path of ["/info", "/v1/models", "/v1/version", "/metrics"]) {
      expect((await fetch(vllm.url + path)).status).toBe(200);
    }
    const text = await vllm.post("/generate?max_tokens=4", "The patient was");
    expect(text.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    const answer = await ask("/v1/chat/completions", {
      ...chat,
      model: "llm",
      temperature: 2,
      ignore_eos: true,
    });
    expect(await answer.json()).toMatchObject({ usage: { completion_tokens: 12 } });
    const { last } = await eventsOf(
      await ask("/v1/completions", { ...completion, model: "llm", stream: true }),
    );
    expect(last).toBe("[DONE]");
    const unknown = await ask("/v1/chat/completions", chat);
    expect([unknown.status, await unknown.json()]).toMatchObject([404, { error: { type: "NotFoundError" } }]);
    await vllm.close();
  });
});
