import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { NlpServerOptions } from "../src/server.ts";
import { type Running, sha256, start, until } from "./running.ts";

let running: Running;

async function begin(options: NlpServerOptions = {}): Promise<void> {
  running = await start({ faults: true, engine: "echo", ...options });
}

afterEach(() => running.close());

/** Sends a text and says how it went: the status, or why there is none. */
async function outcome(text = "a note", path = "/process"): Promise<number | string> {
  try {
    const response = await running.post(path, text);
    await response.text();
    return response.status;
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : undefined;
    return cause && "code" in cause ? String(cause.code) : "broken";
  }
}

describe("the fault switch", () => {
  it("concerns the next request only, and says what is left", async () => {
    await begin();
    const answer = await running.fault({ kind: "error" });
    const fault = { kind: "error", next: 1, ms: 1_000, status: 500 };
    expect([answer.status, await answer.json()]).toEqual([200, { faults: [fault] }]);
    expect(await outcome()).toBe(500);
    expect(await outcome()).toBe(200);
    expect(await (await fetch(`${running.url}/_faults`)).json()).toEqual({ faults: [] });
    expect((await running.stats()).faults).toEqual({ error: 1 });
  });

  it("concerns the next n, or all until it is cleared", async () => {
    await begin();
    await running.fault({ kind: "error", status: 502, next: 2 });
    expect([await outcome(), await outcome(), await outcome()]).toEqual([502, 502, 200]);
    await running.fault({ kind: "error", next: null });
    for (let count = 0; count < 5; count += 1) expect(await outcome()).toBe(500);
    await fetch(`${running.url}/_faults`, { method: "DELETE" });
    expect(await outcome()).toBe(200);
  });

  it("picks requests by a part of a text, also within a bulk", async () => {
    await begin();
    await running.fault({ kind: "error", match: "poison", next: null });
    expect(await outcome("a note")).toBe(200);
    expect(await outcome("a poison note")).toBe(500);
    const bulk = JSON.stringify(["a", "poison"]);
    expect((await running.post("/process_bulk", bulk, "application/json")).status).toBe(500);
  });

  it("picks requests by route, also routes that are no work", async () => {
    await begin();
    await running.fault([
      { kind: "error", status: 503, route: "/readyz", next: null },
      { kind: "error", route: "/redact" },
    ]);
    expect((await fetch(`${running.url}/readyz`)).status).toBe(503);
    expect((await fetch(`${running.url}/healthz`)).status).toBe(200);
    expect([await outcome(), await outcome("a", "/redact")]).toEqual([200, 500]);
  });

  it("delays", async () => {
    await begin();
    await running.fault({ kind: "delay", ms: 150 });
    const began = performance.now();
    expect(await outcome()).toBe(200);
    expect(performance.now() - began).toBeGreaterThanOrEqual(140);
  });

  it("is busy", async () => {
    await begin();
    await running.fault({ kind: "busy", ms: 2_500 });
    const response = await running.post("/process", "a note");
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "3"]);
    expect(await response.json()).toHaveProperty("message");
  });

  it("dies in the middle of the body", async () => {
    await begin();
    await running.fault({ kind: "die_mid_body" });
    const response = await running.post("/process", "a note of some length");
    expect(response.status).toBe(200);
    expect(Number(response.headers.get("content-length"))).toBe(
      JSON.stringify({ text: "a note of some length", annotations: [] }).length,
    );
    await expect(response.text()).rejects.toThrow();
    expect(await outcome()).toBe(200);
    expect((await running.stats()).aborted).toBe(0);
  });

  it("resets the connection after it has read the request", async () => {
    await begin();
    await running.fault({ kind: "reset" });
    expect(await outcome()).toBe("ECONNRESET");
    const { texts, aborted } = await running.stats();
    expect(texts[sha256("a note")]).toEqual({ received: 1, answered: 0 });
    expect(aborted).toBe(0);
  });

  it("hangs until the client hangs up", async () => {
    await begin();
    await running.fault({ kind: "hang" });
    const client = new AbortController();
    const response = running.post("/process", "a note", "text/plain", client.signal);
    const failed = expect(response).rejects.toThrow();
    await until(async () => (await running.stats()).in_flight === 1);
    client.abort();
    await failed;
    await until(async () => (await running.stats()).in_flight === 0);
    expect((await running.stats()).aborted).toBe(1);
  });

  it.each([
    [{ kind: "explode" }],
    [{ kind: "error", status: 200 }],
    [{ kind: "error", next: 0 }],
    [{ kind: "delay", ms: "1" }],
    [{ kind: "error", texts: "a" }],
    ["error"],
  ])("refuses %j", async (fault) => {
    await begin();
    expect((await running.fault(fault)).status).toBe(400);
    expect(running.server.faults.list()).toEqual([]);
  });
});

describe("a stop", () => {
  it("does not wait for a connection that was never used", async () => {
    await begin({ drainMs: 5_000 });
    const socket = connect(Number(new URL(running.url).port), "127.0.0.1");
    await once(socket, "connect");
    const began = performance.now();
    await running.close();
    expect(performance.now() - began).toBeLessThan(2_000);
    socket.destroy();
  });
});

describe("the counts", () => {
  it("show what came twice and how it was answered", async () => {
    await begin();
    await outcome("once");
    await outcome("twice");
    await running.fault({ kind: "error" });
    await outcome("twice");
    await running.post("/process_bulk", '["twice","once more"]', "application/json");
    await running.post("/process_jsonl", '{"text":"in a line"}', "application/x-ndjson");
    await outcome("", "/process");
    const { texts, routes, in_flight } = await running.stats();
    expect(texts).toEqual({
      [sha256("once")]: { received: 1, answered: 1 },
      [sha256("twice")]: { received: 3, answered: 2 },
      [sha256("once more")]: { received: 1, answered: 1 },
      [sha256("in a line")]: { received: 1, answered: 1 },
    });
    expect(routes["/process"]).toEqual({ received: 4, statuses: { 200: 2, 422: 1, 500: 1 } });
    expect(in_flight).toBe(0);
    const duplicates = await (await fetch(`${running.url}/_stats?least_received=2`)).json();
    expect(Object.keys((duplicates as { texts: object }).texts)).toEqual([sha256("twice")]);
  });

  it("can be reset", async () => {
    await begin();
    await outcome();
    await fetch(`${running.url}/_stats`, { method: "DELETE" });
    const { texts, peak, routes } = await running.stats();
    expect({ texts, peak }).toEqual({ texts: {}, peak: 0 });
    expect(routes["/process"]).toBeUndefined();
  });

  it("keep no texts without faults", async () => {
    await begin({ faults: false });
    await outcome();
    expect(running.server.stats()).toMatchObject({ texts: {}, routes: { "/process": { received: 1 } } });
  });
});

describe("a client that hangs up", () => {
  it("stops the work on its bulk", async () => {
    await begin({ engine: "nlp" });
    const texts = Array.from(
      { length: 20_000 },
      (_, index) => `Dr. Keller saw John Smith in Berlin, ${index}.`,
    );
    const client = new AbortController();
    const answer = running.post("/process_bulk", JSON.stringify(texts), "application/json", client.signal);
    const failed = expect(answer).rejects.toThrow();
    await until(async () => (await running.stats()).in_flight === 1);
    client.abort();
    await failed;
    // The whole bulk would take more than five seconds.
    await until(async () => (await running.stats()).in_flight === 0);
    expect((await running.stats()).aborted).toBe(1);
  });

  it("is counted while it sends, too", async () => {
    await begin();
    const socket = connect(Number(new URL(running.url).port), "127.0.0.1");
    socket.write(
      "POST /process HTTP/1.1\r\nhost: a\r\ncontent-type: text/plain\r\ncontent-length: 10\r\n\r\nhalf",
    );
    await until(async () => (await running.stats()).in_flight === 1);
    socket.destroy();
    await until(async () => (await running.stats()).in_flight === 0);
    const { aborted, texts } = await running.stats();
    expect({ aborted, texts }).toEqual({ aborted: 1, texts: {} });
  });
});

describe("the capacity", () => {
  it("is kept with an honest 503", async () => {
    await begin({ capacity: 2 });
    await running.fault({ kind: "delay", ms: 300, next: 2 });
    const two = [outcome("a"), outcome("b")];
    await until(async () => (await running.stats()).in_flight === 2);
    const refused = await running.post("/process", "c");
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await refused.json()).toEqual({
      message: expect.stringContaining("Please retry later.") as string,
    });
    expect((await fetch(`${running.url}/readyz`)).status).toBe(200);
    expect(await Promise.all(two)).toEqual([200, 200]);
    expect(await outcome("c")).toBe(200);
    const { peak, refused: count, texts } = await running.stats();
    expect({ peak, count, received: texts[sha256("c")]?.received }).toEqual({
      peak: 2,
      count: 1,
      received: 1,
    });
  });

  it("leaves the server answering while it works on a long text", async () => {
    await begin({ engine: "nlp" });
    const long = running.post("/process", "Dr. Keller saw John Smith in Berlin. ".repeat(3_000));
    await until(async () => (await running.stats()).in_flight === 1);
    const began = performance.now();
    expect((await fetch(`${running.url}/healthz`)).status).toBe(200);
    expect(performance.now() - began).toBeLessThan(400);
    expect(running.server.stats().in_flight).toBe(1);
    expect((await long).status).toBe(200);
  });
});
