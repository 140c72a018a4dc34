import pg from "pg";
import { expect, it } from "vitest";
import { sessionSettings } from "../../src/postgres/connection-options.ts";
import { migratePostgres } from "../../src/postgres/index.ts";
import { statementsOf } from "../../src/postgres/statements.ts";
import { newDatabase, onEachServer } from "./servers.ts";

interface PlanNode {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Index Cond"?: string;
  readonly Plans?: readonly PlanNode[];
}

/** What reads a whole table, or a whole index, of those that grow. */
function wholeReads(node: PlanNode): string[] {
  const own = ((): string[] => {
    const table = node["Relation Name"] ?? "";
    if (!/^(live|ended|payloads|results)$/.test(table) || !/Scan$/.test(node["Node Type"])) return [];
    if (node["Node Type"] === "Tid Scan") return [];
    const index = node["Index Name"];
    // A partial index that holds only what is at work, is due, or waits for its recovery is short.
    const isShort = /^live_(at_work|to_recover|delayed|by_deadline)$/.test(index ?? "");
    const lead = { live_ready: "model", ended_by_finish: "forgotten", live_by_age: "created_at" }[
      index ?? ""
    ];
    const condition = node["Index Cond"] ?? "";
    const isLed = condition.includes(`(${lead ?? (/payloads|results/.test(table) ? "seq" : "id")} `);
    return isShort || isLed ? [] : [`${node["Node Type"]} of ${table} by ${index}: ${condition}`];
  })();
  return [...own, ...(node.Plans ?? []).flatMap(wholeReads)];
}

onEachServer("a plan", (url) => {
  it("that is made while the tables are empty finds each row by its key all the same", async () => {
    const database = await newDatabase(url);
    await migratePostgres({ url: database });
    const options = Object.entries(sessionSettings(15_000)).map(([name, value]) => `-c ${name}=${value}`);
    const client = new pg.Client({ connectionString: database, options: options.join(" ") });
    await client.connect();
    try {
      // After this the server takes the tables for empty, and not for ones of which it knows nothing.
      await client.query("VACUUM ANALYZE");
      const faults: string[] = [];
      for (const [name, { text }] of Object.entries(statementsOf("modelgate"))) {
        const count = Math.max(0, ...[...text.matchAll(/\$(\d+)/g)].map(([, number]) => Number(number)));
        await client.query(`PREPARE tried AS ${text}`);
        const values = count === 0 ? "" : `(${Array.from({ length: count }, () => "NULL").join(", ")})`;
        const { rows } = await client.query(`EXPLAIN (FORMAT JSON) EXECUTE tried${values}`);
        for (const fault of wholeReads(rows[0]["QUERY PLAN"][0].Plan)) faults.push(`${name}: ${fault}`);
        await client.query("DEALLOCATE tried");
      }
      expect(faults).toEqual([]);
    } finally {
      await client.end();
    }
  });
});
