import { describe, expect, it } from "vitest";
import type { Grant, Ledger, ServerWant } from "../../src/contracts/ledger.ts";
import { createGateway } from "../../src/gateway.ts";
import type { Gateway } from "../../src/gateway-api.ts";
import { memoryDiscovery, memoryLedger, memoryObjectStore, memoryProtocol } from "../../src/memory/index.ts";
import { SlotOffers } from "../../src/tasks/slot-offers.ts";
import { ManualClock } from "../discovery/manual-clock.ts";

const POLL_MS = 500;
const WORK_MS = 10;

function want(server: string, max: number, background = false): ServerWant {
  return { server, max, limit: 8, models: [server], background, cost: 0 };
}

function grantsOf(counts: Readonly<Record<string, number>>): Grant[] {
  return Object.entries(counts).flatMap(([server, count]) =>
    Array.from({ length: count }, () => ({ kind: "run", server, task: { background: false } }) as Grant),
  );
}

describe("what is offered of several servers", () => {
  it("is never more than is free, and all of it where there is room", () => {
    const offers = new SlotOffers(10, POLL_MS);
    const wants = [want("a", 8), want("b", 8), want("c", 1)];
    for (let inUse = 0; inUse <= 12; inUse += 1) {
      const sum = offers.take(wants, inUse, 0).reduce((total, { max }) => total + max, 0);
      expect(sum).toBe(Math.max(0, 10 - inUse));
    }
    expect(new SlotOffers(undefined, POLL_MS).take(wants, 1000, 0)).toBe(wants);
    expect(new SlotOffers(17, POLL_MS).take(wants, 0, 0)).toEqual(wants);
  });

  it("leaves background work out of the count", () => {
    const offers = new SlotOffers(1, POLL_MS);
    const wants = [want("a", 8, true), want("b", 0, true), want("c", 8)];
    expect(offers.take(wants, 1, 0)).toEqual([want("a", 0, true), want("b", 0, true)]);
  });

  it("goes round at once until each was offered, then rests, and comes back after the time between two looks", () => {
    const offers = new SlotOffers(1, POLL_MS);
    const wants = ["a", "b", "c"].map((name) => want(name, 8));
    const offered = (nowMs: number): string => {
      const [first] = offers.take(wants, 0, nowMs);
      return first?.server ?? "none";
    };
    const round = (nowMs: number): [string[], boolean[]] => {
      const names: string[] = [];
      const goesOn: boolean[] = [];
      for (let at = 0; at < 3; at += 1) {
        names.push(offered(nowMs));
        goesOn.push(offers.answered([], nowMs));
      }
      return [names.sort(), goesOn];
    };
    expect(round(0)).toEqual([
      ["a", "b", "c"],
      [true, true, false],
    ]);
    offered(1);
    expect(offers.answered([], 1)).toBe(false);
    expect(round(POLL_MS + 2)).toEqual([
      ["a", "b", "c"],
      [true, true, false],
    ]);
  });

  it("lets those that may have work take turns with those that had, so that neither waits for long", () => {
    const offers = new SlotOffers(1, POLL_MS);
    const wants = Array.from({ length: 20 }, (_, at) => want(`s${at}`, 8));
    const busy = new Set(["s3", "s11"]);
    const granted: string[] = [];
    let exchanges = 0;
    for (let nowMs = 0; granted.length < 300; nowMs += 5) {
      const [first] = offers.take(wants, 0, nowMs);
      const server = first?.server ?? "";
      exchanges += 1;
      if (granted.length === 100) busy.add("s19");
      const got = busy.has(server) ? { [server]: 1 } : {};
      if (busy.has(server)) granted.push(server);
      offers.answered(grantsOf(got), nowMs);
    }
    const count = (name: string): number => granted.filter((each) => each === name).length;
    expect(Math.min(count("s3"), count("s11"))).toBeGreaterThan(60);
    expect(count("s19")).toBeGreaterThan(30);
    expect(exchanges).toBeLessThan(600);
  });

  it("begins with those for which work was announced", () => {
    const offers = new SlotOffers(1, POLL_MS);
    const wants = Array.from({ length: 9 }, (_, at) => want(`s${at}`, 8));
    for (let at = 0; at < 9; at += 1) {
      offers.take(wants, 0, 0);
      offers.answered([], 0);
    }
    expect(offers.announced(["s7"], () => wants)).toBe(true);
    expect(offers.take(wants, 0, 1).map(({ server }) => server)).toEqual(["s7"]);
  });
});

interface Shared {
  readonly ledger: Ledger;
  readonly clock: ManualClock;
  readonly runs: boolean;
}

interface World {
  readonly gateway: Gateway;
  readonly clock: ManualClock;
  /** Most tasks that were at work at once. */
  readonly most: () => number;
  readonly exchanges: () => number;
}

function makeWorld(
  maxConcurrentTasks: number | undefined,
  { ledger, clock = new ManualClock(), runs = true }: Partial<Shared> = {},
): World {
  let running = 0;
  let most = 0;
  let exchanges = 0;
  const own = ledger ?? memoryLedger({ clock });
  const counted = new Proxy(own, {
    get(target, name) {
      const found = Reflect.get(target, name);
      if (typeof found !== "function") return found;
      return (...given: unknown[]) => {
        if (name === "exchange") exchanges += 1;
        return Reflect.apply(found, target, given);
      };
    },
  });
  const protocol = memoryProtocol({
    clock,
    operations: { work: { repeatable: true } },
    async handle() {
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => clock.after(WORK_MS, resolve));
      running -= 1;
      return "done";
    },
  });
  const servers = ["a", "b", "c", "d", "e"].map((name) => ({
    ...{ id: name, url: "memory:", models: [name], protocol: "memory", state: "ready" as const, limit: 8 },
  }));
  const gateway = createGateway({
    ...{ clock, ledger: counted, objects: memoryObjectStore({ clock }), protocols: [protocol] },
    ...{ discovery: memoryDiscovery(servers), pollMs: POLL_MS, maxConcurrentTasks, runs },
  });
  return { gateway, clock, most: () => most, exchanges: () => exchanges };
}

async function submit({ gateway }: World, model: string, count: number): Promise<string[]> {
  const requests = Array.from({ length: count }, () => ({ model, operation: "work" }));
  const results = await gateway.submit(requests);
  return results.map((result) => {
    if (!result.ok) throw result.error;
    return result.task.id;
  });
}

async function ended({ gateway, clock }: World, ids: readonly string[], withinMs: number): Promise<number> {
  const fromMs = clock.now();
  while (clock.now() - fromMs < withinMs) {
    await clock.advance(5);
    const tasks = await Promise.all(ids.map((id) => gateway.get(id)));
    if (tasks.every(({ state }) => state === "succeeded")) return clock.now() - fromMs;
  }
  throw new Error(`not all of ${ids.length} tasks ended within ${withinMs} ms`);
}

describe("a bound over all servers together", () => {
  it("is kept, and is reached, however many servers have work", async () => {
    const world = makeWorld(3);
    await world.gateway.start();
    const ids = (
      await Promise.all(["a", "b", "c", "d", "e"].map((model) => submit(world, model, 12)))
    ).flat();
    const tookMs = await ended(world, ids, 5_000);
    expect(world.most()).toBe(3);
    // 60 tasks, three at a time.
    expect(tookMs).toBeLessThan(2 * 20 * WORK_MS);
    await world.gateway.stop();
  });

  it("of one lets the last of five servers work at full speed while nobody asks for the others", async () => {
    const world = makeWorld(1);
    await world.gateway.start();
    await world.clock.advance(50);
    const ids = await submit(world, "e", 40);
    const before = world.exchanges();
    const tookMs = await ended(world, ids, 40 * POLL_MS);
    expect(world.most()).toBe(1);
    expect(tookMs).toBeLessThan(2 * 40 * WORK_MS);
    expect(world.exchanges() - before).toBeLessThan(6 * 40);
    await world.gateway.stop();
  });

  it("finds what another process took in, of whatever model, in one look", async () => {
    const clock = new ManualClock();
    const ledger = memoryLedger({ clock });
    const world = makeWorld(1, { ledger, clock });
    const other = makeWorld(undefined, { ledger, clock, runs: false });
    await Promise.all([world.gateway.start(), other.gateway.start()]);
    await clock.advance(3 * POLL_MS);
    const ids = await submit(other, "d", 1);
    expect(await ended(world, ids, 10 * POLL_MS)).toBeLessThan(POLL_MS + 5 * WORK_MS);
    await Promise.all([world.gateway.stop(), other.gateway.stop()]);
  });

  it("is a whole number from 1", () => {
    for (const wrong of [0, -1, Number.NaN])
      expect(() => makeWorld(wrong)).toThrow(/maxConcurrentTasks must be a number from 1/);
  });
});
