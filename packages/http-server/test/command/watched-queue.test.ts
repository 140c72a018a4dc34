import { GatewayError, type Queue } from "@modelgate/core";
import { memoryQueue } from "@modelgate/core/memory";
import { describe, expect, it } from "vitest";
import { watchQueue } from "../../src/command/stores/watched-queue.ts";

const away = new GatewayError("STORE_UNAVAILABLE", "nothing answers there");

/** A queue that fails while `failure` is set, and a clock that is put forward by hand. */
function open() {
  const world = { failure: undefined as unknown, nowMs: 0 };
  const inner = memoryQueue();
  const fragile: Queue = {
    ...inner,
    async stats(options) {
      if (world.failure !== undefined) throw world.failure;
      return await inner.stats(options);
    },
  };
  const watched = watchQueue(fragile, { kind: "redis", nowMs: () => world.nowMs });
  const told: string[] = [];
  watched.watch({
    failed: (operation, code) => void told.push(`${operation} ${code}`),
    wentAway: (why) => void told.push(`away: ${why}`),
    cameBack: (afterMs) => void told.push(`back after ${afterMs}`),
  });
  const ask = async (atMs: number, failure?: unknown, signal?: AbortSignal) => {
    Object.assign(world, { nowMs: atMs, failure });
    told.length = 0;
    await watched.queue.stats({ signal }).catch(() => {});
    return [...told];
  };
  return { watched, ask };
}

describe("a watched queue", () => {
  it("counts each failure, and tells of one and the same absence once a minute", async () => {
    const { ask } = open();
    expect(await ask(0)).toEqual([]);
    expect(await ask(1_000, away)).toEqual(["stats STORE_UNAVAILABLE", "away: nothing answers there"]);
    expect(await ask(2_000, away)).toEqual(["stats STORE_UNAVAILABLE"]);
    expect(await ask(61_000, away)).toEqual(["stats STORE_UNAVAILABLE", "away: nothing answers there"]);
  });

  it("is back once it has answered, and failed no more, for a while", async () => {
    const { ask, watched } = open();
    await ask(0, away);
    expect(await watched.isHealthy()).toBe(false);
    // One that is full still gives what it has.
    expect(await ask(3_000)).toEqual([]);
    expect(await ask(4_000, away)).toEqual(["stats STORE_UNAVAILABLE"]);
    expect(await ask(8_000)).toEqual([]);
    expect(await ask(9_000)).toEqual(["back after 9000"]);
    expect(await watched.isHealthy()).toBe(true);
    expect(await ask(10_000, away)).toHaveLength(2);
  });

  it("is not blamed for what its caller gave up, or what it never claimed; an answer in time is its own matter", async () => {
    const { ask } = open();
    const abort = new AbortController();
    abort.abort();
    expect(await ask(0, abort.signal.reason, abort.signal)).toEqual([]);
    expect(await ask(0, new GatewayError("UNSUPPORTED", "no audit"))).toEqual([]);
    const late = new AbortController();
    late.abort(away);
    expect(await ask(0, late.signal.reason, late.signal)).toHaveLength(2);
  });

  it("repeats nothing that an unknown error says", async () => {
    const { ask } = open();
    expect(await ask(0, new Error("secret"))).toEqual(["stats ADAPTER_FAILED", "away: Redis failed"]);
  });
});
