import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { Ledger } from "../../src/contracts/ledger.ts";
import { GatewayError } from "../../src/errors.ts";
import { createGateway } from "../../src/gateway.ts";
import type { Gateway, GatewayOptions } from "../../src/gateway-api.ts";
import {
  memoryDiscovery,
  memoryLedger,
  memoryObjectStore,
  memoryProtocol,
  memoryWakeups,
  memoryWakeupsHub,
} from "../../src/memory/index.ts";

const operations = { work: { repeatable: true } };
const servers = [
  { id: "s", url: "memory:", models: ["m"], protocol: "memory", state: "ready" as const },
  { id: "t", url: "memory:", models: ["n"], protocol: "memory", state: "starting" as const },
];

function gatewayOn(ledger: Ledger, options: Partial<GatewayOptions> = {}): Gateway {
  const protocol = memoryProtocol({ handle: () => "done", operations });
  const discovery = memoryDiscovery(servers);
  return createGateway({ ledger, discovery, protocols: [protocol], pollMs: 20, ...options });
}

/** The ledger, each of whose calls passes by `before`. */
function watched(ledger: Ledger, before: (call: string) => void): Ledger {
  return new Proxy(ledger, {
    get(target, name) {
      const found = Reflect.get(target, name);
      if (typeof found !== "function") return found;
      return async (...given: unknown[]) => {
        before(String(name));
        return await Reflect.apply(found, target, given);
      };
    },
  });
}

describe("a gateway that runs nothing and sweeps nothing", () => {
  it("submits, waits and cancels, while others run", async () => {
    const ledger = memoryLedger();
    const hub = memoryWakeupsHub();
    const objects = memoryObjectStore();
    const calls = new Set<string>();
    const parts = () => ({ objects, wakeups: memoryWakeups({ hub }) });
    const front = gatewayOn(
      watched(ledger, (call) => calls.add(call)),
      { runs: false, sweeps: false, ...parts() },
    );
    const back = gatewayOn(ledger, parts());
    await Promise.all([front.start(), back.start()]);
    const { id } = await front.submit({ model: "m", operation: "work", payload: "x".repeat(100_000) });
    expect((await front.wait(id, { timeoutMs: 5_000 })).state).toBe("succeeded");
    const waiting = await front.submit({ model: "n", operation: "work" });
    expect((await front.cancel(waiting.id)).state).toBe("cancelled");
    expect((await back.get(waiting.id)).state).toBe("cancelled");
    // Longer than the pause between two rounds.
    await sleep(1_300);
    expect(calls).not.toContain("sweep");
    expect(calls).not.toContain("exchange");
    await Promise.all([front.stop(), back.stop()]);
  });
});

describe("a gateway that knows no servers", () => {
  it.each([
    [false, "pending"],
    [50, "failed"],
  ] as const)("with noServerMs %s leaves what waits for others' models %s", async (noServerMs, state) => {
    const ledger = memoryLedger();
    const front = gatewayOn(ledger, { runs: false, sweeps: false });
    const back = gatewayOn(ledger, { runs: false, discovery: memoryDiscovery([]), noServerMs });
    await Promise.all([front.start(), back.start()]);
    const { id } = await front.submit({ model: "m", operation: "work" });
    // The lanes are looked at in the first round, and judged in the second.
    await sleep(2_600);
    expect((await front.get(id)).state).toBe(state);
    await Promise.all([front.stop(), back.stop()]);
  });
});

describe("a submit while the ledger is away", () => {
  const awayFor = (ms: number): Ledger => {
    const backAtMs = performance.now() + ms;
    return watched(memoryLedger(), (call) => {
      if (call === "submit" && performance.now() < backAtMs)
        throw new GatewayError("STORE_UNAVAILABLE", "it is away");
    });
  };

  it("is refused after some tries, unless it was told to wait", async () => {
    const hasty = gatewayOn(awayFor(1_500));
    const patient = gatewayOn(awayFor(1_500), { storeWaitMs: 10_000 });
    await Promise.all([hasty.start(), patient.start()]);
    const request = { model: "m", operation: "work" };
    const accepting = patient.submit(request);
    await expect(hasty.submit(request)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    const { id } = await accepting;
    expect((await patient.wait(id, { timeoutMs: 5_000 })).state).toBe("succeeded");
    await Promise.all([hasty.stop(), patient.stop()]);
  });

  it("is refused when the wait is over, and ends at once when it is aborted", async () => {
    const gateway = gatewayOn(awayFor(60_000), { storeWaitMs: 700 });
    await gateway.start();
    const beganMs = performance.now();
    const request = { model: "m", operation: "work" };
    await expect(gateway.submit(request)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(performance.now() - beganMs).toBeGreaterThan(600);
    const reason = new Error("enough");
    const abort = new AbortController();
    const submitting = gateway.submit(request, { signal: abort.signal });
    setTimeout(() => abort.abort(reason), 50);
    await expect(submitting).rejects.toBe(reason);
    await gateway.stop();
  });

  it("takes no wait that is none", () => {
    for (const storeWaitMs of [-1, Number.NaN, 86_400_001])
      expect(() => gatewayOn(memoryLedger(), { storeWaitMs })).toThrow(/^storeWaitMs must be a number/);
  });
});
