import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { createGateway, type DeploymentsOptions, type Gateway } from "@modelgate/core";
import {
  type MemoryEngine,
  memoryDeployer,
  memoryDiscovery,
  memoryEngine,
  memoryLedger,
  memoryProtocol,
  memoryRecordStore,
  memoryTracking,
} from "@modelgate/core/memory";
import { afterEach, describe, expect, it } from "vitest";
import { HOSTS } from "./support/hosts.ts";
import { type Answer, call } from "./support/http-client.ts";

const adminKey = "the-key-of-the-admins";
const INFO = '{"model_type":"medcat_umls"}';
const tracked = { uri: "models:/umls/3", type: "medcat_umls", runId: "run-1" };

// What clients of this API are known to do with deployments, on real gateways; only the engine is one in memory.
describe.each(HOSTS)("a story of deployments over $host", ({ open }) => {
  const closers: (() => Promise<unknown>)[] = [];
  let engine: MemoryEngine;

  /** Gateways that share all that they keep, each with a server of its own. */
  async function opened(count = 1, options: Partial<DeploymentsOptions> = {}): Promise<readonly string[]> {
    const discovery = memoryDiscovery();
    engine = memoryEngine({
      discovery,
      images: { server: {} },
      behaviour: (spec) => ({
        readyAfterMs: 150,
        ...(spec.command?.[0] === "exit" && { exit: { afterMs: 10, code: 3 } }),
      }),
    });
    const [ledger, records] = [memoryLedger(), memoryRecordStore()];
    const urls: string[] = [];
    const protocol = {
      ...memoryProtocol({
        instance: "engine",
        operations: { process: { repeatable: true, contentType: "text/plain" } },
        handle: () => "done",
      }),
      info: async () => ({ contentType: "application/json", body: Readable.from([Buffer.from(INFO)]) }),
    };
    for (let n = 0; n < count; n += 1) {
      const gateway: Gateway = createGateway({
        ...{ discovery, ledger, leaseMs: 2_000, pollMs: 50 },
        protocols: [protocol],
        deployments: {
          records,
          deployer: memoryDeployer({ engine }),
          tracking: memoryTracking([tracked]),
          template: ({ modelUri = "", demands }) => ({
            ...{ image: modelUri.startsWith("missing:") ? "missing" : "server", port: 8000, ...demands },
            command: [modelUri.startsWith("exit:") ? "exit" : "serve"],
          }),
          ...{ attempts: 1, manual: { requiresKnownUri: false }, ...options },
        },
      });
      await gateway.start();
      const host = await open(gateway, { adminKey });
      closers.push(host.close, () => gateway.stop({ drainMs: 0 }));
      urls.push(host.url);
    }
    return urls;
  }

  const send = (url: string, method: string, path: string, body?: unknown): Promise<Answer> =>
    call(url, path, {
      method,
      headers: { "x-modelgate-key": adminKey, "content-type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });

  const names = (answer: Answer, list: "running" | "on_demand"): string[] =>
    answer.json[list].map(({ name }: { name: string }) => name);

  const created = (): number => engine.events.filter(({ kind }) => kind === "created").length;

  async function submitted(url: string, model: string): Promise<string> {
    const answer = await call(url, `/models/${model}/tasks/process`, {
      ...{ method: "POST", headers: { "content-type": "text/plain" }, body: "text" },
    });
    expect(answer.status).toBe(200);
    return answer.json.uuid;
  }

  async function ended(url: string, id: string): Promise<Answer["json"]> {
    for (;;) {
      const { json } = await call(url, `/tasks/${id}?detail=true`);
      if (json.status === "succeeded" || json.status === "failed") return json;
      await sleep(20);
    }
  }

  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  it("deploys by run and by address, refuses the second, and removes", async () => {
    const [url = ""] = await opened();
    const first = await send(url, "POST", "/models/by-run", {
      tracking_id: "run-1",
      model_uri: null,
      ttl: null,
    });
    expect(first.status).toBe(200);
    expect(first.json).toMatchObject({ model_uri: tracked.uri, container_name: "by-run", ttl: 86_400 });
    const second = await send(url, "POST", "/models/by-uri", { model_uri: "s3://x", ttl: -1 });
    expect(second.json.ttl).toBe(-1);
    expect(engine.servers.map(({ id }) => id).sort()).toEqual(
      [first.json.container_id, second.json.container_id].sort(),
    );
    await expect
      .poll(async () => names(await call(url, "/models/"), "running"))
      .toEqual(["by-run", "by-uri"]);
    const taken = await send(url, "POST", "/models/by-run", { model_uri: "s3://other" });
    expect(taken.status).toBe(409);
    expect(taken.json.detail).toContain("already running");
    expect((await call(url, "/models/by-run?verbose=true")).json).toMatchObject({
      ...{ uri: tracked.uri, deployment_type: "manual", model_type: "medcat_umls" },
    });
    for (const name of ["by-run", "by-uri"]) {
      expect((await send(url, "DELETE", `/models/${name}`)).status).toBe(204);
      expect((await call(url, `/models/${name}/deployment`)).status).toBe(404);
    }
    expect(engine.servers).toEqual([]);
    expect((await send(url, "DELETE", "/models/by-run")).status).toBe(404);
    expect((await send(url, "DELETE", "/models/by-run?force=true")).status).toBe(204);
  });

  it("looks at the name first, then at the time to live, where the model is, and what runs", async () => {
    const [url = ""] = await opened();
    await send(url, "POST", "/models/there", { model_uri: "s3://x" });
    for (const [name, body, status] of [
      ["_", { tracking_id: "no-such-run", ttl: 0 }, 400],
      ["there", { tracking_id: "no-such-run", ttl: 0 }, 400],
      ["there", { tracking_id: "no-such-run" }, 404],
      ["there", { model_uri: "s3://other" }, 409],
    ] as const) {
      expect((await send(url, "POST", `/models/${name}`, body)).status).toBe(status);
    }
  });

  it("makes one server of equal requests to several gateways, and one wins of others", async () => {
    const urls = await opened(3);
    const body = { model_uri: "s3://x", ttl: 3_600 };
    const equal = await Promise.all(
      Array.from({ length: 12 }, (_, n) => send(urls[n % 3] ?? "", "POST", "/models/same", body)),
    );
    // One that comes when the server is ready is refused: there is nothing left to join.
    expect(equal.every(({ status }) => status === 200 || status === 409)).toBe(true);
    expect(
      new Set(equal.filter(({ status }) => status === 200).map(({ json }) => json.container_id)).size,
    ).toBe(1);
    expect(created()).toBe(1);
    const others = await Promise.all(
      urls.map((url, n) => send(url, "POST", "/models/other", { model_uri: `s3://${n}` })),
    );
    expect(others.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
    expect(created()).toBe(2);
  });

  it("tells why a server could not be started", async () => {
    const [url = ""] = await opened();
    const missing = await send(url, "POST", "/models/gone", { model_uri: "missing:x" });
    expect(missing.status).toBe(500);
    expect(missing.json).toMatchObject({
      detail: "Failed to deploy model 'gone'",
      reason: { code: "IMAGE_MISSING" },
    });
    expect((await call(url, "/models/gone/deployment")).json).toMatchObject({
      ...{ state: "failed", reason: { code: "IMAGE_MISSING" } },
    });
    expect((await send(url, "DELETE", "/models/gone")).json.detail).toContain("Use force=true");
    expect((await send(url, "DELETE", "/models/gone?force=true")).status).toBe(204);
    expect(engine.servers).toEqual([]);
  });

  it("deploys for the first task, once for many, lists it where it belongs, and leaves it when disabled", async () => {
    const urls = await opened(2);
    const [url = ""] = urls;
    const made = await send(url, "POST", "/admin/on-demand", {
      ...{ model_name: "later", model_uri: "s3://x", tracking_id: null, idle_ttl: 60, description: null },
      ...{ deploy: { resources: { limits: { memory: "1g" } } }, replace_enabled: true, inherit_config: true },
    });
    expect(made.status).toBe(201);
    expect(names(await call(url, "/models/"), "on_demand")).toEqual(["later"]);
    const ids = await Promise.all(urls.flatMap((each) => [1, 2, 3].map(() => submitted(each, "later"))));
    for (const id of ids) expect((await ended(url, id)).status).toBe("succeeded");
    expect(created()).toBe(1);
    const [server] = engine.servers;
    expect(server?.identity).toMatchObject({ kind: "auto", ttlMs: 60_000, model: "later" });
    expect(server?.spec.limits).toEqual({ memoryBytes: 1024 ** 3 });
    const listed = await call(url, "/models/?verbose=true");
    expect(listed.json).toMatchObject({
      running: [{ name: "later", deployment_type: "auto" }],
      on_demand: [],
    });
    expect((await send(url, "DELETE", "/admin/on-demand/later")).status).toBe(204);
    expect(names(await call(url, "/models/"), "running")).toEqual(["later"]);
    expect((await call(url, "/models/later/info")).status).toBe(200);
  });

  it("deploys for /info, and tells a bad request from a model that nobody knows", async () => {
    const [url = ""] = await opened();
    await send(url, "POST", "/admin/on-demand", { model_name: "later", model_uri: "s3://x" });
    expect((await call(url, "/models/later/info")).status).toBe(200);
    const bad = await call(url, "/models/later/tasks/process", {
      ...{ method: "POST", headers: { "content-type": "application/pdf" }, body: "x" },
    });
    expect(bad.status).toBe(400);
    const unknown = await call(url, "/models/nobody/tasks/process", {
      ...{ method: "POST", headers: { "content-type": "text/plain" }, body: "x" },
    });
    expect(unknown.status).toBe(503);
    expect(unknown.json.detail).toMatch(
      /is not available\. Running models: \['later'\]\. On-demand models: \[\]/,
    );
  });

  it("ends the tasks of a model that cannot be started with the reason", async () => {
    const [url = ""] = await opened();
    await send(url, "POST", "/admin/on-demand", { model_name: "dead", model_uri: "exit:x" });
    const task = await ended(url, await submitted(url, "dead"));
    expect(task.status).toBe("failed");
    expect((await call(url, "/models/dead/deployment")).json).toMatchObject({
      ...{ state: "failed", deployment_type: "auto", reason: { code: "SERVER_EXITED" } },
    });
    const info = await call(url, "/models/dead/info");
    expect(info.status).toBe(503);
    expect(info.json.reason.code).toBe("SERVER_EXITED");
  });
});
