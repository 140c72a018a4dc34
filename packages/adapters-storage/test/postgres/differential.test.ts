import pg from "pg";
import { describe, it } from "vitest";
import { compareLedgers } from "../support/compare-ledgers.ts";
import { requireService } from "../support/services.ts";
import { newSchema } from "./store-fixture.ts";

const SEEDS = Number(process.env["MODELGATE_PG_SEEDS"] ?? 40);
const FIRST = Number(process.env["MODELGATE_FIRST_SEED"] ?? 1);

const url = requireService("PG_URL");

describe.skipIf(url === undefined)("the ledger in PostgreSQL against the one in memory", () => {
  it("answers alike, call for call", { timeout: 300_000 }, async () => {
    const clock = new pg.Client({ connectionString: url });
    await clock.connect();
    try {
      for (let seed = FIRST; seed < FIRST + SEEDS; seed += 1) {
        const schema = newSchema(url ?? "", () => 0.5);
        const { ledger } = schema.open();
        await ledger.stats();
        // The store's clock is a function of the schema, so that a test can stop it.
        const freeze = async (nowMs: number): Promise<void> => {
          const text = `CREATE OR REPLACE FUNCTION ${schema.schema}.now_ms() RETURNS double precision LANGUAGE sql STABLE
            AS 'SELECT ${nowMs}::double precision'`;
          await clock.query(text);
        };
        await compareLedgers(seed, ledger, freeze);
        await schema.end();
      }
    } finally {
      await clock.end();
    }
  });
});
