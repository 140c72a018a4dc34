import { rm } from "node:fs/promises";
import type { Ledger } from "@modelgate/core";
import { describeKit, type LedgerFixture, ledgerKit, runKitTest } from "@modelgate/core/testing";
import { afterAll, describe, expect, it } from "vitest";
import { type SqliteStore, sqliteStore } from "../../src/sqlite/sqlite-store.ts";
import { LedgerProcesses, type RemoteLedger } from "./ledger-processes.ts";
import { newDirectory } from "./store-fixture.ts";

const processes = new LedgerProcesses();
afterAll(() => processes.stop());

/** A directory of its own. Further clients are handles in this process, or in others. */
async function openFixture(where: "here" | "in other processes", walkRows?: number): Promise<LedgerFixture> {
  const directory = await newDirectory(true);
  const stores: SqliteStore[] = [];
  const remotes: RemoteLedger[] = [];
  const openHere = (): Ledger => {
    const store = sqliteStore({ directory });
    stores.push(store);
    return store.ledger;
  };
  const closeAll = async (): Promise<void> => {
    await Promise.all(remotes.splice(0).map((remote) => remote.end()));
    await Promise.all(stores.splice(0).map((store) => store.close()));
  };
  const fixture: LedgerFixture = {
    ledger: openHere(),
    reopen: async () => {
      await closeAll();
      return openHere();
    },
    walkRows,
    close: async () => {
      await closeAll();
      await rm(directory, { recursive: true, force: true });
    },
  };
  if (where === "here") return { ...fixture, another: async () => openHere() };
  return {
    ...fixture,
    another: async () => {
      const remote = await processes.open(directory);
      remotes.push(remote);
      return remote;
    },
    whileStopped: async (client, during) => {
      const remote = remotes.find((each) => each === client);
      remote?.process.kill("SIGSTOP");
      try {
        await during();
      } finally {
        remote?.process.kill("SIGCONT");
      }
    },
  };
}

describeKit({ describe, it }, ledgerKit, "SQLite", () => openFixture("here"));
describeKit({ describe, it }, ledgerKit, "SQLite in several processes", () =>
  openFixture("in other processes", 5000),
);

describe("the ledger kit", () => {
  it("leaves out nothing of SQLite", { timeout: 60_000 }, async () => {
    const leftOut: (string | undefined)[] = [];
    for (const { name, leaveOut } of ledgerKit.tests)
      leftOut.push(await runKitTest({ name, leaveOut, run: async () => {} }, () => openFixture("here")));
    expect(leftOut.filter((why) => why !== undefined)).toEqual(["its order is exact"]);
  });
});
