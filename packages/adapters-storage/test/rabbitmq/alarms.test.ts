import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { inspectRabbitmq } from "../../src/rabbitmq/index.ts";
import { entryOf, newPrefix, openBroker, takeIds } from "./brokers.ts";

const SOON = { timeout: 10_000, interval: 50 };

/** An alarm is one of the whole broker, and a broker of one's own takes ten seconds to start. */
const isWanted = process.env["MODELGATE_LONG"] === "1";

interface OwnBroker {
  readonly url: string;
  control(...args: string[]): Promise<unknown>;
  start(): Promise<unknown>;
  kill(): Promise<unknown>;
  close(): Promise<unknown>;
}

describe.skipIf(!isWanted)("a broker of this test's own", () => {
  let server: OwnBroker;
  beforeAll(async () => {
    const scripts = new URL("../../../../scripts/services/index.mjs", import.meta.url);
    const { startRabbitmq } = (await import(scripts.href)) as { startRabbitmq: () => Promise<OwnBroker> };
    server = await startRabbitmq();
  }, 60_000);
  afterAll(() => server.close());

  it("with a memory alarm takes nothing new, and what waits is taken and settled all the same", async () => {
    const { url } = server;
    const prefix = newPrefix();
    const { queue, wakeups } = openBroker({ url, prefix, operationTimeoutMs: 2_000 });
    await queue.enqueue([entryOf("a"), entryOf("b"), entryOf("c")]);
    const incarnation = await queue.incarnation();
    await server.control("set_vm_memory_high_watermark", "0.00001");
    try {
      await vi.waitFor(async () => {
        const error = await queue.enqueue([entryOf("d")]).catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({ code: "STORE_FULL", details: { alarm: "memory" } });
      }, SOON);
      const begun = performance.now();
      await expect(queue.enqueue([entryOf("e")])).rejects.toMatchObject({ code: "STORE_FULL" });
      await expect(wakeups.publish("work", ["m"])).rejects.toMatchObject({ code: "STORE_FULL" });
      const lanes = [{ lane: "m", max: 2, background: false }];
      const taken = await queue.take({ lanes, max: 2, visibilityMs: 60_000 });
      expect(taken.map(({ id }) => id)).toEqual(["a", "b"]);
      await queue.settle(taken.map(({ receipt }) => ({ receipt, kind: "done" })));
      expect((await queue.stats({ lanes })).delivered).toBe(0);
      expect(await queue.incarnation()).toBe(incarnation);
      expect(performance.now() - begun).toBeLessThan(2_000);
      const { alarm, problems } = await inspectRabbitmq({ url, prefix });
      expect([alarm, problems.map(({ step, code }) => [step, code])]).toEqual([
        "memory",
        [["write", "STORE_FULL"]],
      ]);
    } finally {
      await server.control("set_vm_memory_high_watermark", "0.4");
    }
    await vi.waitFor(() => queue.enqueue([entryOf("f")]), SOON);
    expect(await takeIds(queue)).toEqual(expect.arrayContaining(["c", "f"]));
  }, 60_000);

  it("that is killed and comes back has what was confirmed, and its incarnation", async () => {
    const { url } = server;
    const { queue } = openBroker({ url, prefix: newPrefix() });
    const ids = Array.from({ length: 500 }, (_, at) => `t${at}`);
    await queue.enqueue(ids.map((id) => entryOf(id)));
    const before = await queue.incarnation();
    await server.kill();
    await expect(queue.enqueue([entryOf("refused")])).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    await server.start();
    await vi.waitFor(async () => expect(await queue.incarnation()).toBe(before), {
      ...SOON,
      timeout: 30_000,
    });
    const taken: string[] = [];
    await vi.waitFor(async () => {
      taken.push(...(await takeIds(queue, 500)));
      expect(new Set(taken)).toEqual(new Set(ids));
    }, SOON);
  }, 90_000);
});
