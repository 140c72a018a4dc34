import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createGateway, type Gateway } from "@modelgate/core";
import { memoryDiscovery, memoryProtocol } from "@modelgate/core/memory";
import { createNodeHandler } from "@modelgate/http-server/node";
import express, { type Express, type RequestHandler } from "express";

const key = "let-me-in";

/** The application's own rule for who may use the gateway. */
const requireKey: RequestHandler = (request, response, next) => {
  if (request.header("x-api-key") === key) next();
  else response.status(401).json({ error: "send your key in x-api-key" });
};

/** An application with routes of its own, and a gateway below /gateway. */
function createApp(gateway: Gateway): Express {
  const app = express();
  app.get("/", (_request, response) => void response.send("the application itself"));

  // Before body parsers: the gateway streams bodies to where they are kept, byte for byte.
  app.use("/gateway", requireKey, createNodeHandler(gateway));

  app.use(express.json());
  // The same gateway as a library, in a route of the application.
  app.post("/notes", async (request, response) => {
    const { text } = request.body as { text: string };
    const task = await gateway.submit({ model: "words", operation: "count", payload: text, priority: 8 });
    const ended = await gateway.wait(task.id, { timeoutMs: 10_000 });
    if (ended.state !== "succeeded") return void response.status(502).json({ state: ended.state });
    const { bytes } = await gateway.result(task.id);
    response.status(201).json({ task: task.id, counted: JSON.parse(new TextDecoder().decode(bytes)) });
  });
  app.use(
    (_request, response) => void response.status(404).json({ error: "the application has no such page" }),
  );
  return app;
}

/** Mounts a gateway in an Express application and uses it both ways. Rejects when anything is not as told. */
export async function story(say: (line: string) => void): Promise<void> {
  // The model is a function; a model server behind HTTP would be `cmsProtocol()` and `staticDiscovery()` instead.
  const protocol = memoryProtocol({
    operations: { count: { repeatable: true, contentType: "text/plain" } },
    handle: async (call) => ({ json: { words: (await call.text()).split(/\s+/).filter(Boolean).length } }),
  });
  const discovery = memoryDiscovery([
    { id: "words-1", url: "memory:words-1", models: ["words"], protocol: "memory", state: "ready" },
  ]);
  const gateway = createGateway({ discovery, protocols: [protocol] });
  await gateway.start();
  const server = createApp(gateway).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const headers = { "x-api-key": key, "content-type": "text/plain" };
  const submit = (text: string, more: Record<string, string> = {}): Promise<Response> =>
    fetch(`${url}/gateway/models/words/tasks/count`, {
      method: "POST",
      headers: { ...headers, ...more },
      body: text,
    });

  try {
    assert.equal(await (await fetch(url)).text(), "the application itself");
    const refused = await fetch(`${url}/gateway/models/`);
    assert.equal(refused.status, 401);
    say("The application answers at /, and its own rule keeps strangers out of /gateway.");

    const counted = await submit("one two three", { prefer: "wait=10" });
    assert.deepEqual([counted.status, await counted.json()], [200, { words: 3 }]);
    say("With a key, a task is submitted and its result comes back in the same call.");

    const large = "word ".repeat(400_000);
    const accepted = (await (await submit(large)).json()) as { uuid: string };
    await gateway.wait(accepted.uuid, { timeoutMs: 10_000 });
    const result = await fetch(`${url}/gateway/tasks/${accepted.uuid}?download=true`, { headers });
    assert.deepEqual(await result.json(), { words: 400_000 });
    say("A note of 2 MB is streamed in, and its result is fetched later.");

    const note = await fetch(`${url}/notes`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ text: "from a route of the application" }),
    });
    const { task, counted: inRoute } = (await note.json()) as { task: string; counted: unknown };
    assert.deepEqual([note.status, inRoute], [201, { words: 6 }]);
    const seen = await fetch(`${url}/gateway/tasks/${task}`, { headers });
    assert.deepEqual(await seen.json(), { uuid: task, status: "succeeded" });
    say("A route of the application uses the same gateway as a library; its task is seen over HTTP too.");

    const unknown = await fetch(`${url}/gateway/nothing`, { headers });
    assert.deepEqual(
      [unknown.status, await unknown.json()],
      [404, { error: "the application has no such page" }],
    );
    say("What the gateway does not know is left to the application.");
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await gateway.stop({ drainMs: 0 });
    await Promise.all([discovery.close(), protocol.close()]);
  }
}
