import { describe, expect, it } from "vitest";
import { createGateway } from "../../src/gateway.ts";
import { memoryDiscovery, memoryProtocol } from "../../src/memory/index.ts";

describe("the events of a gateway", () => {
  it("tell of the ending when a task is handed back for the last time", async () => {
    const protocol = memoryProtocol({
      handle: () => ({ kind: "broken", reason: "reset" }),
      operations: { work: { repeatable: true } },
    });
    const discovery = memoryDiscovery([
      { id: "s", url: "memory:", models: ["m"], protocol: "memory", state: "ready" },
    ]);
    const gateway = createGateway({ discovery, protocols: [protocol], maxFailures: 1 });
    const told: unknown[] = [];
    gateway.events.on("task:returned", ({ counts, code }) => told.push({ counts, code }));
    gateway.events.on("task:ended", ({ state, attempt, code }) => told.push({ state, attempt, code }));
    await gateway.start();
    const { id } = await gateway.submit({ model: "m", operation: "work" });
    const ended = await gateway.wait(id);
    expect(ended.error?.code).toBe("ATTEMPTS_EXHAUSTED");
    expect(told).toEqual([
      { counts: true, code: "SERVER_BROKE_OFF" },
      { state: "failed", attempt: 1, code: "ATTEMPTS_EXHAUSTED" },
    ]);
    await gateway.stop();
  });
});
