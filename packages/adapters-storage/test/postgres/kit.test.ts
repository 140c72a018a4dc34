import {
  describeKit,
  type LedgerFixture,
  ledgerKit,
  recordStoreKit,
  taskStoreKit,
  wakeupsKit,
} from "@modelgate/core/testing";
import { describe, it } from "vitest";
import { requireService } from "../support/services.ts";
import { newSchema } from "./store-fixture.ts";

const SERVERS = { "PostgreSQL 15": "PG_URL", "PostgreSQL 18": "PG18_URL" } as const;

for (const [name, variable] of Object.entries(SERVERS)) {
  const url = requireService(variable);
  if (url === undefined) {
    describe.skip(name, () => it("needs the server", () => {}));
    continue;
  }
  const openLedger = async (): Promise<LedgerFixture> => {
    const schema = newSchema(url);
    return {
      ledger: schema.open().ledger,
      another: async () => schema.open().ledger,
      reopen: async () => {
        await schema.closeAll();
        return schema.open().ledger;
      },
      // The whole walk is made once, on the newest server.
      walkRows: variable === "PG_URL" ? 20_000 : 5_000,
      close: () => schema.end(),
    };
  };
  describeKit({ describe, it }, ledgerKit, name, openLedger);
  // What differs between the servers, the ledger shows.
  if (variable === "PG_URL")
    describeKit({ describe, it }, taskStoreKit, name, async () => {
      const schema = newSchema(url);
      return {
        store: schema.open().tasks,
        another: async () => schema.open().tasks,
        reopen: async () => {
          await schema.closeAll();
          return schema.open().tasks;
        },
        // The walk through a listing is the ledger's.
        walkRows: 2_000,
        close: () => schema.end(),
      };
    });
  describeKit({ describe, it }, recordStoreKit, name, async () => {
    const schema = newSchema(url);
    return {
      records: schema.open().records,
      another: async () => schema.open().records,
      reopen: async () => {
        await schema.closeAll();
        return schema.open().records;
      },
      close: () => schema.end(),
    };
  });
  describeKit({ describe, it }, wakeupsKit, name, async () => {
    const schema = newSchema(url);
    return {
      wakeups: schema.open().wakeups,
      other: schema.open().wakeups,
      close: () => schema.end(),
    };
  });
}
