import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { createGateway, type Gateway } from "@modelgate/core";
import { memoryDiscovery, memoryProtocol } from "@modelgate/core/memory";
import { createHttpHandler } from "@modelgate/http-server";
import { Hono } from "hono";

/** An application with a route of its own, and a gateway below /gateway. */
function createApp(gateway: Gateway): Hono {
  const app = new Hono();
  app.get("/", (context) => context.text("the application itself"));
  app.use("/gateway/*", async (context, next) => {
    await next();
    context.header("x-served-by", "the application");
  });
  app.mount("/gateway", createHttpHandler(gateway).fetch);
  return app;
}

/** Asks the application without a socket, and then over one. Rejects when anything is not as told. */
export async function story(say: (line: string) => void): Promise<void> {
  // The model is a function; a model server behind HTTP would be `cmsProtocol()` and `staticDiscovery()` instead.
  let calls = 0;
  const protocol = memoryProtocol({
    operations: { reverse: { repeatable: true, contentType: "text/plain" } },
    handle: async (call) => {
      calls += 1;
      return [...(await call.text())].reverse().join("");
    },
  });
  const discovery = memoryDiscovery([
    { id: "mirror-1", url: "memory:mirror-1", models: ["mirror"], protocol: "memory", state: "ready" },
  ]);
  const gateway = createGateway({ discovery, protocols: [protocol] });
  await gateway.start();
  const app = createApp(gateway);
  const path = "/gateway/models/mirror/tasks/reverse";
  const request = (body: string, headers: Record<string, string>): RequestInit => ({
    method: "POST",
    headers: { "content-type": "text/plain", ...headers },
    body,
  });

  try {
    const direct = await app.request(path, request("naïve 😀", { prefer: "wait=10" }));
    assert.deepEqual([direct.status, await direct.text()], [200, "😀 evïan"]);
    assert.equal(direct.headers.get("x-served-by"), "the application");
    assert.match(direct.headers.get("x-task-uuid") ?? "", /^[0-9a-f-]{36}$/);
    say("The application is asked without a socket, and its middleware is around the gateway's answer.");

    const { uuid } = (await (await app.request(path, request("abc", {}))).json()) as { uuid: string };
    await gateway.wait(uuid, { timeoutMs: 10_000 });
    const task = await app.request(`/gateway/tasks/${uuid}?detail=true`);
    const { status, model, type } = (await task.json()) as Record<string, string>;
    assert.deepEqual([status, model, type], ["succeeded", "mirror", "reverse"]);
    say("A task is submitted now and looked at later.");

    const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" });
    try {
      if (!server.listening) await once(server, "listening");
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      assert.equal(await (await fetch(url)).text(), "the application itself");
      const before = calls;
      const headers = { prefer: "wait=10", "idempotency-key": "note-17" };
      const answers = [];
      for (let attempt = 0; attempt < 2; attempt += 1) {
        const answer = await fetch(url + path, request("a note", headers));
        answers.push([await answer.text(), answer.headers.get("x-task-uuid")]);
      }
      assert.deepEqual(answers[0], answers[1]);
      assert.deepEqual([answers[0]?.[0], calls - before], ["eton a", 1]);
      say("Over a socket, a note sent twice under one Idempotency-Key is one task, and is read once.");
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  } finally {
    await gateway.stop({ drainMs: 0 });
    await Promise.all([discovery.close(), protocol.close()]);
  }
}
