import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { ModelServer } from "../../src/contracts/discovery.ts";
import { createGateway } from "../../src/gateway.ts";
import type { Gateway, GatewayOptions } from "../../src/gateway-api.ts";
import {
  type MemoryHandler,
  memoryDiscovery,
  memoryObjectStore,
  memoryProtocol,
} from "../../src/memory/index.ts";

const operations = { work: { repeatable: true }, train: { timeoutMs: 300 } };
const server: ModelServer = { id: "s", url: "memory:one", models: ["m"], protocol: "memory", state: "ready" };
const large = "a note ".repeat(10_000);

describe("an attempt", () => {
  let gateway: Gateway | undefined;
  afterEach(async () => {
    await gateway?.stop({ drainMs: 0 });
    gateway = undefined;
  });

  async function start(handle: MemoryHandler, options: Partial<GatewayOptions> = {}): Promise<Gateway> {
    const protocols = [memoryProtocol({ handle, operations })];
    gateway = createGateway({ discovery: memoryDiscovery([server]), protocols, pollMs: 20, ...options });
    await gateway.start();
    return gateway;
  }

  it("keeps the whole answer before its task ends", async () => {
    const objects = memoryObjectStore();
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let isStoring = false;
    const slow: typeof objects = {
      ...objects,
      put: async (key, body, options) => {
        if (key.startsWith("results/")) {
          isStoring = true;
          await released;
        }
        return await objects.put(key, body, options);
      },
    };
    const gateway = await start(() => large, { objects: slow });
    const { id } = await gateway.submit({ model: "m", operation: "work" });
    await vi.waitFor(() => expect(isStoring).toBe(true));
    expect((await gateway.wait(id, { timeoutMs: 150 })).state).toBe("scheduled");
    release();
    expect(await gateway.wait(id)).toMatchObject({ state: "succeeded", result: { sizeBytes: large.length } });
  });

  it("has its payload to itself, whatever came at the same time", async () => {
    const discovery = memoryDiscovery([{ ...server, state: "starting" }]);
    const gateway = await start((call) => call.text(), { discovery });
    const texts = [`one ${large}`, `two ${large}`];
    const ids = await Promise.all(
      texts.map(async (payload) => (await gateway.submit({ model: "m", operation: "work", payload })).id),
    );
    discovery.set(server);
    for (const [at, id] of ids.entries()) {
      await gateway.wait(id);
      const answer: Buffer[] = [];
      for await (const piece of (await gateway.result(id)).body) answer.push(Buffer.from(piece));
      expect(Buffer.concat(answer).toString()).toBe(texts[at]);
    }
  });

  it("waits for a server that is not ready, and goes to where it is by then", async () => {
    const discovery = memoryDiscovery([{ ...server, state: "unhealthy" }]);
    const gateway = await start((call) => call.server.url, { discovery });
    const { id, state } = await gateway.submit({ model: "m", operation: "work" });
    expect(state).toBe("pending");
    discovery.set({ ...server, url: "memory:two" });
    await gateway.wait(id);
    expect(Buffer.from((await gateway.result(id)).bytes ?? []).toString()).toBe("memory:two");
  });

  it("takes no slot and fails nothing while its server wants to be left alone", async () => {
    let refusals = 0;
    const gateway = await start(() => {
      refusals += 1;
      return { kind: "refused", reason: "busy", retryAfterMs: 60_000 };
    });
    const { id } = await gateway.submit({ model: "m", operation: "work" });
    await vi.waitFor(() => expect(refusals).toBe(1));
    await sleep(150);
    expect(await gateway.get(id)).toMatchObject({ state: "pending", failures: 0 });
    expect(gateway.models()[0]?.servers).toMatchObject([{ inFlight: 0, isPaused: true }]);
  });

  it("sends nothing again that must not run twice when the answer was lost", async () => {
    let calls = 0;
    const gateway = await start(() => {
      calls += 1;
      return { kind: "broken", reason: "reset" };
    });
    const { id } = await gateway.submit({ model: "m", operation: "train" });
    const ended = await gateway.wait(id, { timeoutMs: 10_000 });
    expect(ended).toMatchObject({ state: "failed", error: { code: "OUTCOME_UNKNOWN" } });
    expect(calls).toBe(1);
  });
});
