// A host application of somebody else: every public entry point, used as its types say, without a cast.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cmsTemplate, dockerDeployer } from "@modelgate/adapters-docker/deployer";
import { dockerDiscovery } from "@modelgate/adapters-docker/discovery";
import { mlflowTracking } from "@modelgate/adapters-mlflow";
import { filesystemObjectStore } from "@modelgate/adapters-storage/filesystem";
import { sqliteStore } from "@modelgate/adapters-storage/sqlite";
import {
  cmsProtocol,
  createGateway,
  type Gateway,
  GatewayError,
  staticDiscovery,
  type TaskRecord,
} from "@modelgate/core";
import { rankOf } from "@modelgate/core/adapter";
import { memoryDiscovery, memoryProtocol, memoryRecordStore } from "@modelgate/core/memory";
import { createHttpHandler } from "@modelgate/http-server";
import { serveHttp } from "@modelgate/http-server/node";

async function textOf(gateway: Gateway, task: TaskRecord): Promise<string> {
  const { body } = await gateway.result(task.id);
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body) text += decoder.decode(chunk, { stream: true });
  return text;
}

async function inMemory(): Promise<void> {
  const protocol = memoryProtocol({
    handle: async (call) => (await call.text()).toUpperCase(),
    operations: { shout: { repeatable: true } },
  });
  const discovery = memoryDiscovery([
    { id: "one", url: "memory:one", models: ["voice"], protocol: "memory", state: "ready" },
  ]);
  const gateway = createGateway({ discovery, protocols: [protocol] });
  gateway.events.on("task:ended", ({ state }) => assert.equal(state, "succeeded"));
  await gateway.start();
  const task = await gateway.submit({ model: "voice", operation: "shout", payload: "hello", priority: 8 });
  assert.equal((await gateway.wait(task.id)).state, "succeeded");
  assert.equal(await textOf(gateway, task), "HELLO");
  await assert.rejects(gateway.submit({ model: "none", operation: "shout" }), (error: unknown) => {
    return GatewayError.is(error, "MODEL_UNKNOWN") && error.details["model"] === "none";
  });
  const handler = createHttpHandler(gateway, { basePath: "/gateway" });
  assert.equal((await handler.fetch(new Request("http://host/gateway/health"))).status, 200);
  await gateway.stop();
}

async function onDisk(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "modelgate-consumer-"));
  const model = createServer((request, response) => {
    request.resume().on("end", () => response.end(request.url === "/process" ? "found" : "ready"));
  });
  await new Promise<void>((resolve) => model.listen(0, "127.0.0.1", resolve));
  const address: AddressInfo | string | null = model.address();
  assert(address !== null && typeof address === "object");
  const cms = cmsProtocol();
  const discovery = staticDiscovery({
    servers: [{ name: "nlp", url: `http://127.0.0.1:${address.port}` }],
    probe: new Map([["cms", cms]]),
  });
  const store = sqliteStore({ directory });
  const objects = filesystemObjectStore({ directory: join(directory, "objects") });
  const gateway = createGateway({ discovery, protocols: [cms], ledger: store.ledger, objects });
  await gateway.start();
  const server = await serveHttp(gateway, { port: 0 });
  const task = await gateway.submit({ model: "nlp", operation: "process", payload: "x".repeat(100_000) });
  assert.equal((await gateway.wait(task.id)).state, "succeeded");
  const answer = await fetch(`${server.url}/tasks/${task.id}?download=true`);
  assert.equal(await answer.text(), "found");
  const record = await store.records.put("key", { of: ["any", 1, null] }, null);
  assert.deepEqual((await store.records.get("key"))?.value, record?.value);
  await gateway.stop();
  await server.close();
  await Promise.all([store.close(), objects.close(), discovery.close(), cms.close()]);
  model.close();
  model.closeAllConnections();
  rmSync(directory, { recursive: true, force: true });
}

/** With a socket where nobody answers: what is needed is there, and a gateway that cannot deploy runs all the same. */
async function onDocker(): Promise<void> {
  const cms = cmsProtocol();
  const address = { socketPath: join(tmpdir(), "nobody-answers-here.sock") };
  const discovery = dockerDiscovery({ ...address, probe: new Map([["cms", cms]]) });
  const deployer = dockerDeployer(address);
  const template = cmsTemplate({ image: "cogstacksystems/cogstack-modelserve:latest" });
  const gateway = createGateway({
    discovery,
    protocols: [cms],
    deployments: { records: memoryRecordStore(), deployer, template },
  });
  await gateway.start();
  const asked = gateway.deployments?.deploy({ model: "ner", modelUri: "s3://models/ner" });
  await assert.rejects(Promise.resolve(asked), (error: unknown) =>
    GatewayError.is(error, "DEPLOYER_UNAVAILABLE"),
  );
  await gateway.stop();
  await Promise.all([deployer.close(), discovery.close(), cms.close()]);
}

/** With an address where nobody answers: a tracker that is away is told by its own error. */
async function onMlflow(): Promise<void> {
  const tracking = mlflowTracking({ url: "http://127.0.0.1:9", timeoutMs: 5000 });
  await assert.rejects(tracking.findRuns({ name: "a" }), (error: unknown) =>
    GatewayError.is(error, "TRACKING_UNAVAILABLE"),
  );
  assert.equal(await tracking.find("https://models.example/ner.zip"), undefined);
  await tracking.close();
}

assert.equal(rankOf(1000, 1, 10), 990);
await inMemory();
await onDisk();
await onDocker();
await onMlflow();
console.log(`in memory and on disk on Node ${process.versions.node}`);
