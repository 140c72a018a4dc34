import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { tcpProxy } from "../support/tcp-proxy.ts";
import { adminOf, entryOf, newPrefix, openBroker, removeAll, servers, takeIds } from "./brokers.ts";

const SOON = { timeout: 10_000, interval: 20 };

function prefixOn(url: string): string {
  const prefix = newPrefix();
  onTestFinished(() => removeAll(url, prefix, ["m"]));
  return prefix;
}

describe.each(servers())("$name", ({ url }) => {
  it("gives back what was taken over a connection that was cut, and goes on over a new one", async () => {
    const prefix = prefixOn(url);
    const proxy = await tcpProxy(url);
    onTestFinished(() => proxy.close());
    const { queue } = openBroker({ url: proxy.through(url), prefix });
    const other = openBroker({ url, prefix });
    await queue.enqueue([entryOf("a"), entryOf("b")]);
    const lanes = [{ lane: "m", max: 2, background: false }];
    const taken = await queue.take({ lanes, max: 2, visibilityMs: 60_000 });
    expect(taken).toHaveLength(2);
    proxy.cut();
    const again: string[] = [];
    await vi.waitFor(async () => {
      again.push(...(await takeIds(other.queue)));
      expect(again.sort()).toEqual(["a", "b"]);
    }, SOON);
    await vi.waitFor(() => queue.enqueue([entryOf("c")]), SOON);
    await queue.settle(taken.map(({ receipt }) => ({ receipt, kind: "back", delayMs: 0 })));
    expect(await takeIds(queue)).toEqual(["c"]);
  });

  it("fails within the limit while the broker is away, without a wait in a queue, and works again after", async () => {
    const prefix = prefixOn(url);
    const proxy = await tcpProxy(url);
    onTestFinished(() => proxy.close());
    const { queue, wakeups } = openBroker({ url: proxy.through(url), prefix, operationTimeoutMs: 800 });
    await queue.enqueue([entryOf("a")]);
    proxy.mode = "forget";
    const begun = performance.now();
    const calls = [
      queue.enqueue([entryOf("b")]),
      takeIds(queue),
      queue.stats(),
      queue.incarnation(),
      wakeups.publish("work", ["m"]),
    ];
    const settled = await Promise.allSettled(calls);
    expect(performance.now() - begun).toBeLessThan(2_000);
    for (const each of settled.slice(0, 4))
      expect(each).toMatchObject({ status: "rejected", reason: { code: "STORE_UNAVAILABLE" } });
    proxy.mode = "refuse";
    proxy.cut();
    await sleep(50);
    const refusedAt = performance.now();
    await expect(takeIds(queue)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(performance.now() - refusedAt).toBeLessThan(1_000);
    proxy.mode = "pass";
    await vi.waitFor(() => queue.enqueue([entryOf("c")]), SOON);
    const ids: string[] = [];
    await vi.waitFor(async () => {
      ids.push(...(await takeIds(queue)));
      expect(ids).toContain("a");
      expect(ids).toContain("c");
    }, SOON);
  });

  it("tells listeners of a gap", async () => {
    const prefix = prefixOn(url);
    const proxy = await tcpProxy(url);
    onTestFinished(() => proxy.close());
    const { wakeups } = openBroker({ url: proxy.through(url), prefix });
    const other = openBroker({ url, prefix });
    const hints: (readonly string[])[] = [];
    wakeups.subscribe("work", (names) => hints.push(names));
    wakeups.subscribe("ended", (names) => hints.push(names));
    await vi.waitFor(async () => {
      await other.wakeups.publish("work", ["before"]);
      expect(hints.flat()).toContain("before");
    }, SOON);
    await sleep(50);
    hints.length = 0;
    proxy.cut();
    await vi.waitFor(() => expect(hints).toEqual([[], []]), SOON);
    await other.wakeups.publish("ended", ["after"]);
    await vi.waitFor(() => expect(hints.flat()).toEqual(["after"]), SOON);
  });

  it("notices a queue that was deleted, by what is put into it and by what is taken of it", async () => {
    const prefix = prefixOn(url);
    const admin = await adminOf(url);
    const { queue } = openBroker({ url, prefix });
    const other = openBroker({ url, prefix });
    const seen = new Set([await other.queue.incarnation()]);
    await queue.enqueue([entryOf("a")]);
    const name = `${prefix}.tasks.2.m`;
    expect(await admin.deleteQueue(name)).toEqual({ messageCount: 1 });
    await queue.enqueue([entryOf("b")]);
    seen.add(await other.queue.incarnation());
    expect(await takeIds(other.queue)).toEqual(["b"]);
    await admin.deleteQueue(name);
    expect(await takeIds(other.queue)).toEqual([]);
    await vi.waitFor(async () => expect(seen.has(await queue.incarnation())).toBe(false), SOON);
    expect(seen.size).toBe(2);
    expect(await queue.stats({ lanes: [{ lane: "m", background: false }] })).toMatchObject({ ready: [0] });
  });

  it("counts nothing in a queue that was purged, and keeps its incarnation", async () => {
    const prefix = prefixOn(url);
    const admin = await adminOf(url);
    const { queue } = openBroker({ url, prefix });
    await queue.enqueue([entryOf("a"), entryOf("b")]);
    const before = await queue.incarnation();
    const lanes = [{ lane: "m", background: false }];
    await vi.waitFor(async () => expect((await queue.stats({ lanes })).ready).toEqual([2]), SOON);
    await admin.purgeQueue(`${prefix}.tasks.2.m`);
    await vi.waitFor(async () => expect((await queue.stats({ lanes })).ready).toEqual([0]), SOON);
    expect(await queue.incarnation()).toBe(before);
  });

  it("hands out an urgent entry before a backlog that many take from", async () => {
    const prefix = prefixOn(url);
    const { queue } = openBroker({ url, prefix });
    const other = openBroker({ url, prefix });
    await queue.enqueue(Array.from({ length: 50 }, (_, at) => entryOf(`b${at}`)));
    expect(await takeIds(queue, 4)).toEqual(["b0", "b1", "b2", "b3"]);
    expect(await takeIds(other.queue, 4)).toEqual(["b4", "b5", "b6", "b7"]);
    await other.queue.enqueue([entryOf("urgent", { rank: Date.now() - 10 * 3_600_000 })]);
    expect(await takeIds(queue, 1)).toEqual(["urgent"]);
    expect(await takeIds(other.queue, 1)).toEqual(["b8"]);
  });

  it("gives back what nobody settled in time, and what came back 30 times is still there", async () => {
    const prefix = prefixOn(url);
    const { queue } = openBroker({ url, prefix });
    await queue.enqueue([entryOf("a")]);
    const lanes = [{ lane: "m", max: 1, background: false }];
    for (let round = 0; round < 30; round += 1) {
      await vi.waitFor(async () => {
        const taken = await queue.take({ lanes, max: 1, visibilityMs: round === 0 ? 30 : 60_000 });
        expect(taken.map(({ id }) => id)).toEqual(["a"]);
        if (round > 0)
          await queue.settle(taken.map(({ receipt }) => ({ receipt, kind: "back", delayMs: 0 })));
      }, SOON);
    }
    expect(await takeIds(queue)).toEqual(["a"]);
  });
});
