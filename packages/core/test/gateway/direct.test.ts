import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import type { GatewayEvents } from "../../src/events.ts";
import type { Gateway, PassRequest } from "../../src/gateway-api.ts";
import { memoryProtocol } from "../../src/memory/index.ts";
import { gatewayOf, heldServer, textOf } from "./direct-world.ts";

type Ended = Parameters<GatewayEvents["direct:ended"]>[0];

const pass = (gateway: Gateway, parts: Partial<PassRequest> = {}, signal?: AbortSignal) =>
  gateway.pass({ model: "m", method: "GET", path: "/x", ...parts }, { signal });

function endings(gateway: Gateway): string[] {
  const told: string[] = [];
  gateway.events.on("direct:ended", ({ outcome }: Ended) => told.push(outcome));
  return told;
}

const inFlight = (gateway: Gateway): number | undefined => gateway.models()[0]?.servers[0]?.inFlight;

describe("a direct request", () => {
  it("goes to the model's server and comes back as it is", async () => {
    const one = await heldServer();
    const { gateway } = await gatewayOf([one.server]);
    const told: Ended[] = [];
    gateway.events.on("direct:ended", (event: Ended) => told.push(event));
    const asked = pass(gateway, {
      method: "POST",
      path: "/a",
      query: "b=1&b=2",
      payload: Buffer.from("note"),
    });
    await vi.waitFor(() => expect(one.waiting).toHaveLength(1));
    expect(await one.waiting[0]?.text).toBe("note");
    expect(inFlight(gateway)).toBe(1);
    one.waiting[0]?.response.writeHead(418, { "x-a": "1" }).end("tea");
    const { status, headers, body } = await asked;
    expect([status, headers.find(([name]) => name === "x-a"), one.paths]).toEqual([
      418,
      ["x-a", "1"],
      ["/a?b=1&b=2"],
    ]);
    expect(inFlight(gateway)).toBe(1);
    expect(await textOf(body)).toBe("tea");
    expect(inFlight(gateway)).toBe(0);
    expect(told).toEqual([
      { model: "m", server: one.server.id, durationMs: expect.any(Number), outcome: "answered" },
    ]);
  });

  it("takes its share of a server's slots and no more, and the next is told when to come back", async () => {
    const one = await heldServer({ limit: 5 });
    const { gateway } = await gatewayOf([one.server], { direct: { share: 0.5 } });
    const asked = [1, 2, 3].map(() => pass(gateway).catch((error: unknown) => error));
    expect(await asked[2]).toMatchObject({
      code: "SERVER_BUSY",
      details: { model: "m", retryAfterMs: 1000 },
    });
    await vi.waitFor(() => expect(one.waiting).toHaveLength(2));
  });

  it("waits for a slot, and those that wait are served in their order", async () => {
    const one = await heldServer({ limit: 1 });
    const { gateway } = await gatewayOf([one.server]);
    const order: string[] = [];
    const ask = async (path: string): Promise<void> => {
      const { body } = await pass(gateway, { path, waitMs: 5000 });
      await textOf(body);
      order.push(path);
    };
    const all = ["/1", "/2", "/3", "/4"].map(ask);
    // It does not overtake those that wait.
    await sleep(20);
    await expect(pass(gateway, { path: "/late" })).rejects.toMatchObject({ code: "SERVER_BUSY" });
    for (let at = 0; at < 4; at += 1) {
      await vi.waitFor(() => expect(one.waiting).toHaveLength(1));
      one.waiting.shift()?.response.end("ok");
    }
    await Promise.all(all);
    expect(order).toEqual(["/1", "/2", "/3", "/4"]);
    expect(one.mostAtOnce()).toBe(1);
  });

  it("waits no longer than it says, and not at all beyond the bound", async () => {
    const one = await heldServer({ limit: 1 });
    const { gateway } = await gatewayOf([one.server], { direct: { maxWaiting: 1 } });
    pass(gateway).catch(() => {});
    const startedMs = performance.now();
    const second = pass(gateway, { waitMs: 80 }).catch((error: unknown) => error);
    await expect(pass(gateway, { waitMs: 5000 })).rejects.toMatchObject({ code: "SERVER_BUSY" });
    expect(performance.now() - startedMs).toBeLessThan(60);
    expect(await second).toMatchObject({ code: "SERVER_BUSY" });
    expect(performance.now() - startedMs).toBeGreaterThan(70);
  });

  it("of one lane does not hold up another's", async () => {
    const one = await heldServer({ limit: 1 });
    const two = await heldServer({ models: ["n"], limit: 1 }, (_request, response) => !!response.end("n"));
    const { gateway } = await gatewayOf([one.server, two.server], { direct: { share: 1 } });
    pass(gateway).catch(() => {});
    pass(gateway, { waitMs: 5000 }).catch(() => {});
    const answers = [1, 2, 3].map(async () =>
      textOf((await pass(gateway, { model: "n", waitMs: 1000 })).body),
    );
    expect(await Promise.all(answers)).toEqual(["n", "n", "n"]);
  });

  it.each([
    ["is read to its end", "answered"],
    ["is let go of", "answered"],
    ["breaks off", "broken"],
    ["is aborted", "aborted"],
    ["is aborted while nobody reads", "aborted"],
    ["has no body", "answered"],
  ])("gives its slot back once when its answer %s", async (how, outcome) => {
    const one = await heldServer({ limit: 2 });
    const { gateway } = await gatewayOf([one.server], { direct: { share: 1 } });
    const told = endings(gateway);
    const other = pass(gateway, { path: "/other" });
    const controller = new AbortController();
    const asked = pass(gateway, {}, controller.signal);
    await vi.waitFor(() => expect(one.waiting).toHaveLength(2));
    const response = one.waiting.find(({ path }) => path === "/x")?.response;
    if (how === "has no body") response?.writeHead(204).end();
    else response?.writeHead(200, { "content-length": 4 }).write("ha");
    const { body } = await asked;
    const reader = body[Symbol.asyncIterator]();
    if (how === "is read to its end") {
      response?.end("lf");
      await textOf(body);
      await reader.return?.();
    } else if (how === "is let go of") {
      await reader.return?.();
      await reader.return?.();
    } else if (how === "breaks off") {
      response?.destroy();
      await expect(textOf(body)).rejects.toMatchObject({ code: "SERVER_BROKE_OFF" });
    } else if (how === "is aborted") {
      const reading = textOf(body);
      controller.abort(new Error("enough"));
      await expect(reading).rejects.toThrow("enough");
    } else if (how === "is aborted while nobody reads") controller.abort(new Error("enough"));
    await vi.waitFor(() => expect(told).toEqual([outcome]));
    await sleep(10);
    expect(inFlight(gateway)).toBe(1);
    one.waiting.find(({ path }) => path === "/other")?.response.end();
    await textOf((await other).body);
    expect([inFlight(gateway), told]).toEqual([0, [outcome, "answered"]]);
  });

  it("that is aborted while it waits takes nothing", async () => {
    const one = await heldServer({ limit: 1 });
    const { gateway } = await gatewayOf([one.server]);
    pass(gateway).catch(() => {});
    const controller = new AbortController();
    const waiting = pass(gateway, { waitMs: 5000 }, controller.signal);
    setTimeout(() => controller.abort(new Error("enough")), 20);
    await expect(waiting).rejects.toThrow("enough");
    await expect(pass(gateway, {}, AbortSignal.abort(new Error("before")))).rejects.toThrow("before");
    expect([inFlight(gateway), one.paths.length]).toEqual([1, 1]);
  });

  it("lets go of an answer that nobody reads", async () => {
    const one = await heldServer({}, (_request, response) => {
      response.writeHead(200, { "content-length": 4 }).write("ha");
      return true;
    });
    const { gateway } = await gatewayOf([one.server], { direct: { idleTimeoutMs: 50 } });
    const { body } = await pass(gateway);
    await vi.waitFor(() => expect(inFlight(gateway)).toBe(0));
    await expect(textOf(body)).rejects.toMatchObject({ code: "SERVER_BROKE_OFF" });
  });

  it("is tried at the next server while nothing of it has left", async () => {
    const one = await heldServer({}, (_request, response) => !!response.end("here"));
    const gone = { ...one.server, id: "gone", url: "http://127.0.0.1:1" };
    // Chance always names the one that is gone first.
    const { gateway } = await gatewayOf([gone, one.server], { random: () => 0 });
    async function* once(): AsyncGenerator<Uint8Array> {
      yield Buffer.from("a payload");
    }
    const { body } = await pass(gateway, { method: "POST", payload: once() });
    expect([await textOf(body), one.paths]).toEqual(["here", ["/x"]]);
    const [server] = gateway.models()[0]?.servers.filter(({ id }) => id === "gone") ?? [];
    expect(server).toMatchObject({ isPaused: true, inFlight: 0 });
  });

  it("says that no server could be reached, or waits until one can be", async () => {
    const one = await heldServer({}, (_request, response) => !!response.end("here"));
    const gone = { ...one.server, url: "http://127.0.0.1:1" };
    const { gateway, discovery } = await gatewayOf([gone]);
    await expect(pass(gateway)).rejects.toMatchObject({ code: "SERVER_UNREACHABLE" });
    setTimeout(() => discovery.set(one.server), 50);
    expect(await textOf((await pass(gateway, { waitMs: 5000 })).body)).toBe("here");
  });

  it("is sent once where it may have arrived", async () => {
    const one = await heldServer({}, (request) => !!request.socket.destroy());
    const { gateway } = await gatewayOf([one.server, { ...one.server, id: "twin" }]);
    const told = endings(gateway);
    await expect(pass(gateway)).rejects.toMatchObject({ code: "SERVER_BAD_GATEWAY" });
    expect([one.paths.length, told]).toEqual([1, ["broken"]]);
    const slow = await heldServer({ models: ["n"] });
    const second = await gatewayOf([slow.server]);
    const late = pass(second.gateway, { model: "n", timeoutMs: 40 });
    await expect(late).rejects.toMatchObject({ code: "SERVER_TIMEOUT" });
    expect(slow.paths).toHaveLength(1);
  });

  it("that is told to come back later lowers the server's limit, and reaches its caller as it came", async () => {
    const one = await heldServer({ limit: 8 }, (request, response) => {
      if (request.url !== "/busy") return false;
      response.writeHead(429, { "retry-after": "7" }).end("later");
      return true;
    });
    const { gateway } = await gatewayOf([one.server]);
    pass(gateway).catch(() => {});
    pass(gateway).catch(() => {});
    const { status, headers, body } = await pass(gateway, { path: "/busy" });
    expect([status, headers.find(([name]) => name === "retry-after")?.[1], await textOf(body)]).toEqual([
      429,
      "7",
      "later",
    ]);
    expect(gateway.models()[0]?.servers[0]).toMatchObject({ limit: 2, isPaused: true });
  });

  it("of a model that nobody knows, of a bad form, or after the end is refused", async () => {
    const one = await heldServer();
    const { gateway } = await gatewayOf([one.server]);
    await expect(pass(gateway, { model: "other" })).rejects.toMatchObject({ code: "MODEL_UNKNOWN" });
    for (const [field, parts] of Object.entries({
      model: { model: "" },
      method: { method: "" },
      path: { path: "x" },
      headers: { headers: ["a"] as never },
      waitMs: { waitMs: -1 },
      timeoutMs: { timeoutMs: Number.NaN },
      sizeBytes: { sizeBytes: 0.5 },
    })) {
      await expect(pass(gateway, parts)).rejects.toMatchObject({
        code: "INVALID_REQUEST",
        details: { field },
      });
    }
    await expect(pass(gateway, { headers: [["a", "b\n"]] })).rejects.toMatchObject({
      code: "INVALID_REQUEST",
    });
    expect(inFlight(gateway)).toBe(0);
    await gateway.stop();
    await expect(pass(gateway)).rejects.toMatchObject({ code: "STOPPING" });
    expect(one.paths).toEqual([]);
  });

  it("never does what a task is for", async () => {
    const one = await heldServer();
    const { gateway } = await gatewayOf([one.server]);
    await expect(pass(gateway, { method: "POST", path: "/x/../train_supervised" })).rejects.toMatchObject({
      code: "TASK_REQUIRED",
      details: { model: "m", operation: "train_supervised" },
    });
    const cancel = pass(gateway, { method: "POST", path: "/cancel_training" });
    await expect(cancel).rejects.toMatchObject({ code: "TASK_REQUIRED" });
    const headers = [["Upgrade", "websocket"]] as const;
    const upgrade = gateway.upgrade({ model: "m", method: "GET", path: "/evaluate", headers });
    await expect(upgrade).rejects.toMatchObject({ code: "TASK_REQUIRED" });
    expect(one.paths).toEqual([]);
  });

  it("is not claimed by a protocol that takes tasks only", async () => {
    const protocols = [memoryProtocol({ handle: () => "", operations: { work: {} } })];
    const server = { id: "s", url: "memory:", models: ["m"], protocol: "memory", state: "ready" } as const;
    const { gateway } = await gatewayOf([server], { protocols });
    await expect(pass(gateway)).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });
});

describe("the end of a gateway", () => {
  it("lets a direct request finish within its time", async () => {
    const one = await heldServer();
    const { gateway } = await gatewayOf([one.server]);
    const asked = pass(gateway).then(({ body }) => textOf(body));
    await vi.waitFor(() => expect(one.waiting).toHaveLength(1));
    const stopped = gateway.stop({ drainMs: 5000 });
    setTimeout(() => one.waiting[0]?.response.end("done"), 30);
    expect(await asked).toBe("done");
    await stopped;
  });

  it("ends one that takes longer, and refuses those that wait", async () => {
    const one = await heldServer({ limit: 1 });
    const { gateway } = await gatewayOf([one.server]);
    const told = endings(gateway);
    const asked = pass(gateway).catch((error: unknown) => error);
    const waiting = pass(gateway, { waitMs: 5000 }).catch((error: unknown) => error);
    await vi.waitFor(() => expect(one.waiting).toHaveLength(1));
    await gateway.stop({ drainMs: 30 });
    expect(await Promise.all([asked, waiting])).toMatchObject([{ code: "STOPPING" }, { code: "STOPPING" }]);
    await vi.waitFor(() => expect(one.waiting[0]?.response.destroyed).toBe(true));
    expect(told).toEqual(["aborted"]);
  });
});
