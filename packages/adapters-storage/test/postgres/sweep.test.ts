import type { ExchangeReply } from "@modelgate/core";
import { expect, it } from "vitest";
import { exchangeOf, newTask, want } from "../sqlite/store-fixture.ts";
import { ask, newSchema, onEachServer, openStore } from "./servers.ts";

onEachServer("a sweep", (url) => {
  it("brings what is due to its lane, within its limit, since nobody exchanges for a lane without a server", async () => {
    const schema = newSchema(url);
    const { ledger } = openStore({ url, schema });
    const ids = ["a", "b", "c"];
    await ledger.submit(ids.map((id, at) => newTask(id, { priority: at })));
    const { grants }: ExchangeReply = await ledger.exchange(exchangeOf(1, { want: [want("s")] }));
    const settle = grants.map(({ task: { id }, attempt }) => {
      return { id, attempt, kind: "returned", counts: false, delayMs: 1, releaseHold: true } as const;
    });
    await ledger.exchange(exchangeOf(2, { settle }));
    await ask(url, `UPDATE ${schema}.live SET not_before = not_before - 1000`);
    const ready = async (): Promise<unknown> => {
      return await ask(url, `SELECT count(*)::integer FROM ${schema}.live WHERE ready = 1`);
    };
    // The first of them, whether it is in its lane or only due.
    const first = Math.min(...grants.map(({ task }) => task.rank));
    for (const count of [0, 2, 3]) {
      expect(await ready()).toEqual([{ count }]);
      expect((await ledger.stats()).lanes).toMatchObject([{ model: "m", waiting: 3, firstRank: first }]);
      await ledger.sweep({ limit: 2, unserved: [] });
    }
  });
});
