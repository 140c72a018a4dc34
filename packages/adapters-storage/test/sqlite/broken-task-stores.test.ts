import type { TaskStore } from "@modelgate/core";
import { runKitTest, type TaskStoreFixture, taskStoreKit } from "@modelgate/core/testing";
import { describe, expect, it } from "vitest";
import { BROKEN_TASK_STORES } from "../../../core/test/testing/broken/task-store/broken-task-stores.ts";
import type { TaskStoreFault } from "../../../core/test/testing/task-store-fixtures.ts";
import { newTaskStores } from "./task-store-fixture.ts";

const MOST_WAIT_MS = 300;

/** What was planted for a store that answers within a turn of the event loop, as it is on one that takes a while. */
const ANEW: Readonly<Record<string, TaskStoreFault>> = {
  "Slots are counted before the transaction that claims.": () => {
    const used = new Map<string, number>();
    let full: (() => void)[] = [];
    const release = (): void => {
      for (const goOn of full) goOn();
      full = [];
    };
    /** Work of the kit is over in a moment: two that filled the server are told so together. */
    const pair = (): Promise<void> =>
      new Promise((resolve) => {
        full.push(resolve);
        if (full.length > 1) release();
        else setTimeout(release, MOST_WAIT_MS);
      });
    return (client) => ({
      ...client,
      apply: async (request, options) => {
        const reply = await client.apply(request, options);
        for (const [server, count] of Object.entries(reply.used))
          used.set(`${request.runner} ${server}`, count);
        return reply;
      },
      claim: async (request, options) => {
        const slots = (server: string): number => used.get(`${request.runner} ${server}`) ?? 0;
        const claims = request.claims.map(({ id, servers }) => {
          const free = servers.filter(({ server, limit }) => slots(server) < limit);
          return { id, servers: free.map((each) => ({ ...each, limit: 1000 })) };
        });
        const outcomes = await client.claim({ ...request, claims }, options);
        for (const [at, item] of outcomes.entries()) {
          if (item.outcome !== "granted") continue;
          const { server } = item.grant;
          used.set(`${request.runner} ${server}`, slots(server) + 1);
          const limit = request.claims[at]?.servers.find((each) => each.server === server)?.limit ?? 0;
          if (slots(server) >= limit) await pair();
        }
        return outcomes;
      },
    });
  },
};

/** Several clients of one directory, each as the fault makes it. */
async function fixture(plant: TaskStoreFault): Promise<TaskStoreFixture> {
  const stores = await newTaskStores();
  const disguise = plant(await stores.open(), stores.clock);
  const open = async (): Promise<TaskStore> => disguise(await stores.open());
  return {
    store: await open(),
    another: open,
    reopen: async () => {
      await stores.closeAll();
      return await open();
    },
    elapse: (ms) => stores.elapse(ms),
    walkRows: 400,
    close: () => stores.end(),
  };
}

// That these tests pass with a store that is right, the kit's own suite shows.
describe("on SQLite too, a task store that is broken fails the test that names its fault", () => {
  for (const { fault, caughtBy, plant } of BROKEN_TASK_STORES) {
    it(fault, { timeout: 30_000 }, async () => {
      const test = taskStoreKit.tests.find(({ name }) => name === caughtBy);
      if (test === undefined) throw new Error(`the kit has no test "${caughtBy}"`);
      const outcome = await runKitTest(test, () => fixture(ANEW[fault] ?? plant)).then(
        () => "not found",
        () => "found",
      );
      expect(outcome).toBe("found");
    });
  }
});
