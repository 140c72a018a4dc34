import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { memoryLedger } from "../../src/memory/index.ts";
import { gatewayOf, heldServer, textOf } from "./direct-world.ts";

describe("direct requests and tasks on one server", () => {
  it("never take more slots together than it has", async () => {
    let now = 0;
    let most = 0;
    const one = await heldServer({ limit: 3 }, (request, response) => {
      now += 1;
      most = Math.max(most, now);
      request.resume();
      setTimeout(() => {
        now -= 1;
        response.end("ok");
      }, 3);
      return true;
    });
    const { gateway } = await gatewayOf([one.server], { direct: { share: 0.7 } });
    const tasks = await Promise.all(
      Array.from({ length: 60 }, () => gateway.submit({ model: "m", operation: "process", payload: "note" })),
    );
    const direct = Array.from({ length: 60 }, async () => {
      const { body } = await gateway.pass({ model: "m", method: "GET", path: "/x", waitMs: 10_000 });
      return await textOf(body);
    });
    expect(new Set(await Promise.all(direct))).toEqual(new Set(["ok"]));
    const ended = await Promise.all(tasks.map(({ id }) => gateway.wait(id)));
    expect(new Set(ended.map(({ state }) => state))).toEqual(new Set(["succeeded"]));
    expect(most).toBe(3);
    expect(gateway.models()[0]?.servers[0]?.inFlight).toBe(0);
  });

  it("do not share a slot that was taken while the ledger granted it", async () => {
    const one = await heldServer({ limit: 1 });
    const ledger = memoryLedger();
    onTestFinished(() => ledger.close());
    const slow: typeof ledger = {
      ...ledger,
      exchange: async (request) => {
        const reply = await ledger.exchange(request);
        await sleep(60);
        return reply;
      },
    };
    const { gateway } = await gatewayOf([one.server], { ledger: slow });
    const { id } = await gateway.submit({ model: "m", operation: "process", payload: "note" });
    await vi.waitFor(async () => expect((await gateway.get(id)).state).toBe("scheduled"), { interval: 2 });
    const asked = gateway.pass({ model: "m", method: "GET", path: "/x" });
    await sleep(200);
    expect(one.paths).toEqual(["/x"]);
    one.waiting[0]?.response.end();
    await textOf((await asked).body);
    await vi.waitFor(() => expect(one.paths).toEqual(["/x", "/process"]));
    one.waiting[1]?.response.end("done");
    expect(await gateway.wait(id)).toMatchObject({ state: "succeeded", failures: 0 });
  });

  it("both get on where there is a single slot", async () => {
    const one = await heldServer({ limit: 1 }, (request, response) => {
      request.resume();
      setTimeout(() => response.end("ok"), 1);
      return true;
    });
    const { gateway } = await gatewayOf([one.server], { pollMs: 2000 });
    let isOver = false;
    let count = 0;
    const flood = [1, 2, 3, 4].map(async () => {
      while (!isOver) {
        const { body } = await gateway.pass({ model: "m", method: "GET", path: "/x", waitMs: 10_000 });
        await textOf(body);
        count += 1;
      }
    });
    await sleep(20);
    for (let at = 0; at < 5; at += 1) {
      const { id } = await gateway.submit({ model: "m", operation: "process", payload: "note" });
      expect((await gateway.wait(id, { timeoutMs: 3000 })).state).toBe("succeeded");
    }
    await vi.waitFor(() => expect(count).toBeGreaterThan(10));
    isOver = true;
    await Promise.all(flood);
  });

  it("refuse nobody for the sake of a task that may not be there", async () => {
    const one = await heldServer({ limit: 1 }, (_request, response) => !!response.end("ok"));
    const { gateway } = await gatewayOf([one.server]);
    for (let at = 0; at < 20; at += 1) {
      expect(await textOf((await gateway.pass({ model: "m", method: "GET", path: "/x" })).body)).toBe("ok");
    }
  });

  it("tasks find at once the slot that a direct request gave back", async () => {
    const one = await heldServer({ limit: 1 });
    const { gateway } = await gatewayOf([one.server], { pollMs: 10_000 });
    const asked = gateway.pass({ model: "m", method: "GET", path: "/x" });
    await vi.waitFor(() => expect(one.waiting).toHaveLength(1));
    await gateway.submit({ model: "m", operation: "process", payload: "note" });
    await sleep(50);
    expect(one.paths).toEqual(["/x"]);
    one.waiting[0]?.response.end();
    await textOf((await asked).body);
    await vi.waitFor(() => expect(one.paths).toEqual(["/x", "/process"]), { timeout: 500 });
  });
});

describe("an upgraded connection", () => {
  it("has its slot until both ends have closed", async () => {
    const one = await heldServer({ limit: 1 });
    const { createServer } = await import("node:net");
    const raw = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => {
        socket.write("HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello");
      });
    }).listen(0, "127.0.0.1");
    await once(raw, "listening");
    const address = raw.address();
    const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
    const { gateway } = await gatewayOf([{ ...one.server, url }]);
    const outcomes: string[] = [];
    gateway.events.on("direct:ended", ({ outcome }) => outcomes.push(outcome));
    const headers = [["Upgrade", "websocket"]] as const;
    const ask = () => gateway.upgrade({ model: "m", method: "GET", path: "/ws", headers });
    const first = await ask();
    if (first.kind !== "upgraded") throw new Error(first.kind);
    const [hello] = await once(first.connection, "data");
    expect(String(hello)).toBe("hello");
    await expect(ask()).rejects.toMatchObject({ code: "SERVER_BUSY" });
    first.connection.destroy();
    await vi.waitFor(() => expect(outcomes).toEqual(["upgraded"]));
    const second = await ask();
    if (second.kind !== "upgraded") throw new Error(second.kind);
    const closed = once(second.connection, "close");
    await gateway.stop({ drainMs: 20 });
    await closed;
    expect(outcomes).toEqual(["upgraded", "aborted"]);
    raw.close();
  });
});
