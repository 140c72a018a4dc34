import { composeLedger } from "@modelgate/core";
import { memoryQueue } from "@modelgate/core/memory";
import { describeKit, ledgerKit, taskStoreKit } from "@modelgate/core/testing";
import { describe, it } from "vitest";
import { requireService } from "../support/services.ts";
import { newSchema } from "./store-fixture.ts";

/** `all` runs the whole kit; otherwise only what depends on the queue, since the task store shows the rest by itself. */
const IS_WHOLE = process.env["MODELGATE_PG_COMPOSED"] === "all";

const url = requireService("PG_URL");
const shared = new Set(taskStoreKit.tests.map(({ name }) => name));
const tests = ledgerKit.tests.filter(({ name }) => IS_WHOLE || !shared.has(name));

describe.skipIf(url === undefined)("a ledger composed of", () => {
  describeKit({ describe, it }, { ...ledgerKit, tests }, "PostgreSQL and a queue in memory", async () => {
    const schema = newSchema(url ?? "");
    const queue = memoryQueue();
    const open = () => composeLedger(schema.open().tasks, queue);
    return {
      ledger: open(),
      another: async () => open(),
      reopen: async () => {
        await schema.closeAll();
        return open();
      },
      walkRows: 1_000,
      async close() {
        await schema.end();
        await queue.close();
      },
    };
  });
});
