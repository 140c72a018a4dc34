import { once } from "node:events";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Running, start, until } from "./running.ts";

const note = "😀 John Smith was seen in Berlin.";
const [john, berlin] = [
  { start: 2, end: 12, label_id: "PERSON", text: "John Smith" },
  { start: 25, end: 31, label_id: "PLACE", text: "Berlin" },
];

let running: Running;

beforeAll(async () => {
  running = await start({ streamable: true, faults: true, eventIdleMs: 150, eventConnectMs: 30 });
});

afterAll(() => running.close());

interface Line {
  doc_name?: string;
  error?: string;
  content?: string;
  text?: string;
}

async function linesOf(body: string): Promise<Line[]> {
  const response = await running.post("/stream/process", body, "application/x-ndjson");
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("application/x-ndjson; charset=utf-8");
  return (await response.text())
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
}

const line = (value: unknown): string => `${JSON.stringify(value)}\n`;

describe("the stream server", () => {
  it("is ready and says what it is, and has nothing of the model server", async () => {
    expect(await (await fetch(`${running.url}/readyz`)).text()).toBe("nlp_rules");
    expect((await fetch(`${running.url}/info`)).status).toBe(200);
    expect((await running.post("/process", note)).status).toBe(404);
    expect((await fetch(`${running.url}/train_eval_info?train_eval_id=a`)).status).toBe(404);
  });
});

describe("POST /stream/process", () => {
  it("answers each annotation in a line, and names documents", async () => {
    const body = line({ text: note, name: "a" }) + line({ text: "nobody" }) + JSON.stringify({ text: note });
    expect(await linesOf(body)).toMatchObject([
      { doc_name: "a", ...john },
      { doc_name: "a", ...berlin },
      { doc_name: "2", ...john },
      { doc_name: "2", ...berlin },
    ]);
  });

  it("answers while the request still comes in", async () => {
    const outgoing = begin();
    outgoing.write(line({ text: note, name: "first" }).slice(0, 20));
    outgoing.write(line({ text: note, name: "first" }).slice(20));
    const [response] = (await once(outgoing, "response")) as [IncomingMessage];
    const read = response[Symbol.asyncIterator]();
    let told = "";
    while (told.split("\n").length < 3) told += String((await read.next()).value);
    expect(told).toContain('"doc_name":"first"');
    outgoing.end(line({ text: note, name: "second" }));
    for (let next = await read.next(); !next.done; next = await read.next()) told += String(next.value);
    expect(told.match(/"doc_name":"second"/g)).toHaveLength(2);
  });

  it("goes on after a line that it cannot read", async () => {
    expect(await linesOf(`nope\n\n${line({ id: 1 })}${line({ text: "Berlin" })}`)).toMatchObject([
      { error: "Invalid JSON Line", content: "nope" },
      { error: expect.stringContaining("Invalid JSON properties found."), content: '{"id":1}' },
      { doc_name: "2", text: "Berlin" },
    ]);
  });

  it("says that there was nothing", async () => {
    expect(await linesOf("")).toEqual([{ error: "Empty stream" }]);
  });

  it("notices that its client has hung up in the middle of the request", async () => {
    const { aborted } = await running.stats();
    const outgoing = begin();
    outgoing.on("error", () => undefined);
    outgoing.write(line({ text: note }));
    await once(outgoing, "response");
    outgoing.destroy();
    await until(async () => (await running.stats()).aborted === aborted + 1);
    await until(async () => (await running.stats()).in_flight === 0);
  });

  function begin(): ClientRequest {
    return request(`${running.url}/stream/process`, { method: "POST" });
  }
});

describe("the event stream", () => {
  /** Reads events until the stream ends, or until one that is looked for. */
  async function listen(query: string): Promise<{ until(part: string): Promise<string>; leave(): void }> {
    const over = new AbortController();
    const response = await fetch(`${running.url}/stream/sse/events?${query}`, { signal: over.signal });
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    const reader = (response.body ?? new ReadableStream<Uint8Array>()).getReader();
    const decoder = new TextDecoder();
    let told = "";
    const untilPart = async (part: string): Promise<string> => {
      while (!told.includes(part)) {
        const { done, value } = await reader.read();
        if (done) return told;
        told += decoder.decode(value, { stream: true });
      }
      return told;
    };
    return { until: untilPart, leave: () => over.abort() };
  }

  it("tells the listener what comes of the texts that are sent under its name", async () => {
    const listener = await listen("client_id=a");
    const body = `${line({ text: note, name: "n" })}nope\n${line({ text: "nobody" })}`;
    const response = await running.post("/stream/sse/process?client_id=a", body);
    expect([response.status, await response.json()]).toEqual([202, { status: "accepted", total_docs: 3 }]);
    const told = await listener.until("all_completed");
    const [hello, ...events] = told.trimEnd().split("\n\n");
    expect(hello).toBe(": connected");
    expect(events.map((event) => JSON.parse(event.replace("data: ", "")) as unknown)).toMatchObject([
      { status: "started", doc_name: "n", text: note },
      { type: "annotation", data: { doc_name: "n", ...john } },
      { type: "annotation", data: { doc_name: "n", ...berlin } },
      { status: "completed", doc_name: "n" },
      { status: "error", error: "Invalid JSON Line", content: "nope" },
      { status: "started", doc_name: "doc_2" },
      { status: "completed", doc_name: "doc_2" },
      { status: "all_completed", total_docs: 3 },
    ]);
    listener.leave();
  });

  it("ends after a long silence, or gives a sign of life", async () => {
    expect(await (await listen("client_id=b")).until("never")).toBe(": connected\n\n");
    const kept = await listen("client_id=c&keep_alive=true");
    expect(await kept.until("keepalive")).toBe(": connected\n\n: keepalive\n\n");
    kept.leave();
  });

  it("is there before the texts are, and no longer when its listener has left", async () => {
    const listener = await listen("client_id=d&keep_alive=true");
    await listener.until("connected");
    listener.leave();
    await until(async () => (await running.post("/stream/sse/process?client_id=d", "")).status === 400);
    const refused = await running.post("/stream/sse/process?client_id=nobody", line({ text: note }));
    expect([refused.status, await refused.json()]).toEqual([
      400,
      { detail: "Client not connected. Please establish SSE connection first." },
    ]);
    expect((await fetch(`${running.url}/stream/sse/events`)).status).toBe(422);
  });

  it("ends when the server stops, at once", async () => {
    const other = await start({ streamable: true, engine: "echo", drainMs: 5_000 });
    const response = await fetch(`${other.url}/stream/sse/events?client_id=a&keep_alive=1`);
    const began = performance.now();
    await Promise.all([other.close(), response.text()]);
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});
