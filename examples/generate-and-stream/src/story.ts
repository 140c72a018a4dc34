import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { cmsProtocol, createGateway, staticDiscovery } from "@modelgate/core";
import { createNlpServer } from "@modelgate/example-nlp-server/server";
import { serveHttp } from "@modelgate/http-server/node";
import { eventsIn } from "./events.ts";
import { talk } from "./talk.ts";

interface Chunk {
  choices: { delta?: { content?: string }; message?: { content: string } }[];
}

const tokenMs = 10;
const note = "Dr. Keller saw John Smith in Berlin.";

/** Reaches all that a model server serves through a gateway. Rejects when anything is not as told. */
export async function story(say: (line: string) => void): Promise<void> {
  const model = createNlpServer({ modelName: "notes", generative: true, streamable: true, tokenMs });
  const { url: modelUrl } = await model.listen();
  const cms = cmsProtocol();
  const discovery = staticDiscovery({
    servers: [{ name: "notes", url: modelUrl }],
    probe: new Map([["cms", cms]]),
  });
  const gateway = createGateway({ discovery, protocols: [cms] });
  await gateway.start();
  const http = await serveHttp(gateway, { port: 0 });
  const base = `${http.url}/models/notes`;
  const chat = (more: object, signal?: AbortSignal): Promise<Response> =>
    fetch(`${base}/openai/v1/chat/completions`, {
      method: "POST",
      // The server may still be looked for.
      headers: { "content-type": "application/json", prefer: "wait=10" },
      body: JSON.stringify({
        model: "notes",
        messages: [{ role: "user", content: "The patient was" }],
        ...more,
      }),
      ...(signal && { signal }),
    });

  try {
    const whole = (await (await chat({})).json()) as Chunk;
    const text = whole.choices[0]?.message?.content ?? "";
    assert.ok(text.length > 20);
    say("A text is generated through /models/notes/openai/v1/chat/completions.");

    const arrivals: number[] = [];
    let streamed = "";
    let last = "";
    const response = await chat({ stream: true });
    assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
    assert.ok(response.body);
    for await (const event of eventsIn(response.body)) {
      last = event;
      if (event === "[DONE]") continue;
      arrivals.push(performance.now());
      streamed += (JSON.parse(event) as Chunk).choices[0]?.delta?.content ?? "";
    }
    assert.deepEqual([streamed, last], [text, "[DONE]"]);
    const tokens = arrivals.length - 2;
    assert.ok((arrivals.at(-1) ?? 0) - (arrivals[0] ?? 0) >= (tokens - 1) * tokenMs * 0.8);
    say("The same text comes as server-sent events, each token when it is made.");

    const over = new AbortController();
    await chat({ stream: true, max_tokens: 1_000_000, ignore_eos: true }, over.signal);
    assert.equal(model.stats().in_flight, 1);
    over.abort();
    while (model.stats().in_flight > 0) await sleep(5);
    assert.equal(model.stats().aborted, 1);
    say("Whoever hangs up stops the model: it works on nothing that nobody reads.");

    const answers = await talk(`${base.replace("http", "ws")}/stream/ws`, [note, "Nobody was there."]);
    assert.deepEqual(answers, [
      "[Person: Dr. Keller] saw [Person: John Smith] in [Place: Berlin].",
      "Nobody was there.",
    ]);
    say("A WebSocket through /models/notes/stream/ws marks names as they are typed.");

    const refused = await fetch(`${base}/train_supervised`, { method: "POST", body: "" });
    assert.equal(refused.status, 403);
    assert.equal(model.stats().routes["other"], undefined);
    say(
      "A training does not pass: it is refused with 403 before the server hears of it, as it has to be a task.",
    );
  } finally {
    await http.close({ drainMs: 0 });
    await gateway.stop({ drainMs: 0 });
    await Promise.all([discovery.close(), cms.close(), model.close()]);
  }
}
