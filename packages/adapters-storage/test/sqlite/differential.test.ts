import { describe, it } from "vitest";
import { compareLedgers } from "../support/compare-ledgers.ts";
import { freeze, newDirectory, openStore } from "./store-fixture.ts";

const SEEDS = Number(process.env["MODELGATE_SEEDS"] ?? 120);
const FIRST = Number(process.env["MODELGATE_FIRST_SEED"] ?? 1);
const GROUPS = 10;

describe("the ledger in SQLite against the one in memory", () => {
  for (let group = 0; group < GROUPS; group += 1) {
    it(`answers alike, call for call (${group + 1} of ${GROUPS})`, { timeout: 300_000 }, async () => {
      for (let seed = FIRST + group; seed < FIRST + SEEDS; seed += GROUPS) {
        const { store, client } = await openStore({ directory: await newDirectory(true) });
        await compareLedgers(seed, store.ledger, (nowMs) => freeze(client, nowMs));
        await store.close();
      }
    });
  }
});
