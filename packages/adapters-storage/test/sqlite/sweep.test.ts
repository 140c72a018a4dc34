import { expect, it } from "vitest";
import { openDatabase } from "../../src/sqlite/engine/open-database.ts";
import { exchangeOf, freeze, newTask, openStore, want } from "./store-fixture.ts";

it("a sweep brings what is due to its lane, within its limit, since nobody exchanges for a lane without a server", async () => {
  const { store, client, directory } = await openStore();
  const { ledger } = store;
  await freeze(client, 1_000_000);
  const ids = ["a", "b", "c"];
  await ledger.submit(ids.map((id, at) => newTask(id, { priority: at })));
  const { grants } = await ledger.exchange(exchangeOf(1, { want: [want("s")] }));
  const settle = grants.map(({ task: { id }, attempt }) => {
    return { id, attempt, kind: "returned", counts: false, delayMs: 5, releaseHold: true } as const;
  });
  await ledger.exchange(exchangeOf(2, { settle }));
  expect((await ledger.stats()).lanes).toEqual([{ model: "m", waiting: 3, waitingBytes: 15 }]);
  await freeze(client, 1_000_005);
  const ready = (): unknown => {
    const db = openDatabase({ directory, busyTimeoutMs: 1000 });
    const rows = db.sql("SELECT count(*) FROM tasks WHERE ready = 1").all([]);
    db.close();
    return rows;
  };
  // The first of them, whether it is in its lane or only due.
  const first = Math.min(...grants.map(({ task }) => task.rank));
  for (const count of [0, 2, 3]) {
    expect(ready()).toEqual([[count]]);
    expect((await ledger.stats()).lanes).toMatchObject([{ model: "m", waiting: 3, firstRank: first }]);
    await ledger.sweep({ limit: 2, unserved: [] });
  }
});
