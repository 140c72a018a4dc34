import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { expect, it, onTestFinished } from "vitest";
import { newTask } from "../sqlite/store-fixture.ts";
import { ask, newSchema, onEachServer, openStore } from "./servers.ts";

const NOW = { payloadMs: 0, resultMs: 0, rowMs: 0 };
const DAY_MS = 86_400_000;

/** Tasks that ended `ageMs` ago, with a payload each, written as the ledger would have. */
async function addEnded(
  url: string,
  schema: string,
  { count, ageMs }: { count: number; ageMs: number },
): Promise<void> {
  const identity = JSON.stringify({ payload: { sizeBytes: 5 }, query: "", repeatable: true, maxFailures: 5 });
  const seq = `(SELECT coalesce(max(seq), 1000000) FROM ${schema}.ended) + n`;
  const at = `${schema}.now_ms() - ${ageMs} - n`;
  await ask(
    url,
    `INSERT INTO ${schema}.ended (seq, id, model, background, rank, state, attempt, finished_at, ended_by, priority,
      failures, lost, created_at, deadline_at, operation, owner, payload_bytes, identity, result, forgotten)
    SELECT ${seq}, 'old-${ageMs}-' || n, 'm', 0, 0, 3, 1, ${at}, 1, 5, 0, 0, ${at}, ${at} + 1, 'process', '', 5,
      $1, '{"sizeBytes":1}', 0 FROM generate_series(1, ${count}) AS n`,
    [identity],
  );
  await ask(
    url,
    `INSERT INTO ${schema}.payloads SELECT seq, 'hello' FROM ${schema}.ended ON CONFLICT DO NOTHING`,
  );
}

onEachServer("retention", (url) => {
  const countOf = async (schema: string, table: string): Promise<number> =>
    (await ask(url, `SELECT count(*)::integer FROM ${schema}.${table}`))[0]?.["count"] as number;

  it("goes in small transactions, whose work the others see, and holds up nobody who submits", async () => {
    const schema = newSchema(url);
    const [sweeper, other] = [openStore({ url, schema }).ledger, openStore({ url, schema }).ledger];
    await other.stats();
    await addEnded(url, schema, { count: 20_000, ageMs: DAY_MS });
    const seen = new Set<number>();
    let isSwept = false;
    const watching = (async () => {
      while (!isSwept) seen.add(await countOf(schema, "ended"));
    })();
    const waits: number[] = [];
    const submitting = (async () => {
      for (let count = 0; !isSwept; count += 1) {
        const begun = performance.now();
        expect((await other.submit([newTask(`new-${count}`)]))[0]?.outcome).toBe("accepted");
        waits.push(performance.now() - begun);
      }
    })();
    const begun = performance.now();
    const { more } = await sweeper.sweep({ limit: 100_000, unserved: [], retention: NOW });
    const sweptMs = performance.now() - begun;
    isSwept = true;
    await Promise.all([watching, submitting]);

    expect(more).toBe(false);
    expect([await countOf(schema, "ended"), await countOf(schema, "live")]).toEqual([0, waits.length]);
    expect(await countOf(schema, "payloads")).toBe(waits.length);
    // Seen from outside it shrank by a thousand at a time, and never by half of that.
    expect(seen.size).toBeGreaterThan(3);
    expect([...seen].filter((count) => count % 1_000 !== 0)).toEqual([]);
    // One transaction for all of it would have made the submissions wait for nearly as long as it took.
    expect(waits.length).toBeGreaterThan(5);
    expect(Math.max(...waits)).toBeLessThan(sweptMs / 2);
  });

  it("keeps to its limit, says whether there is more, and takes the oldest first", async () => {
    const schema = newSchema(url);
    const { ledger } = openStore({ url, schema });
    await ledger.stats();
    await addEnded(url, schema, { count: 300, ageMs: DAY_MS });
    await addEnded(url, schema, { count: 200, ageMs: 2 * DAY_MS });
    const retention = { payloadMs: 1e12, resultMs: 1e12, rowMs: DAY_MS / 2 };
    const left: number[] = [];
    for (let more = true; more; ) {
      ({ more } = await ledger.sweep({ limit: 120, unserved: [], retention }));
      left.push(await countOf(schema, "ended"));
      if (left.length === 1) {
        const [row] = await ask(
          url,
          `SELECT count(*)::integer FROM ${schema}.ended WHERE id LIKE 'old-${2 * DAY_MS}-%'`,
        );
        expect(row).toEqual({ count: 80 });
      }
    }
    expect(left).toEqual([380, 260, 140, 20, 0]);
  });

  it("leaves to the next time what somebody reads under a lock, and what is not due", async () => {
    const schema = newSchema(url);
    const { ledger } = openStore({ url, schema });
    await ledger.stats();
    await addEnded(url, schema, { count: 10, ageMs: 2 * DAY_MS });
    await addEnded(url, schema, { count: 5, ageMs: 0 });
    const reader = new pg.Client({ connectionString: url });
    await reader.connect();
    onTestFinished(() => reader.end());
    await reader.query(`BEGIN; SELECT FROM ${schema}.ended WHERE id = 'old-${2 * DAY_MS}-3' FOR KEY SHARE`);
    const retention = { payloadMs: DAY_MS, resultMs: DAY_MS, rowMs: DAY_MS };
    const sweep = () => ledger.sweep({ limit: 100, unserved: [], retention });
    expect((await sweep()).more).toBe(false);
    expect(await countOf(schema, "ended")).toBe(6);
    await reader.query("COMMIT");
    await sweep();
    expect(await countOf(schema, "ended")).toBe(5);
    expect(await countOf(schema, "payloads")).toBe(5);
  });

  it("that is broken off in the middle has done whole batches, and its next time does the rest", async () => {
    const schema = newSchema(url);
    const { ledger } = openStore({ url, schema });
    await ledger.stats();
    await addEnded(url, schema, { count: 5_000, ageMs: DAY_MS });
    const sweep = () =>
      ledger.sweep({ limit: 100_000, unserved: [], retention: { ...NOW, payloadMs: 1e12, resultMs: 1e12 } });
    await ask(
      url,
      `CREATE FUNCTION ${schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF OLD.id = 'old-${DAY_MS}-1000' THEN RAISE EXCEPTION 'no' USING ERRCODE = '53100'; END IF; RETURN OLD; END $$;
      CREATE TRIGGER refuse BEFORE DELETE ON ${schema}.ended FOR EACH ROW EXECUTE FUNCTION ${schema}.refuse()`,
    );
    await expect(sweep()).rejects.toMatchObject({ code: "STORE_FULL" });
    const left = await countOf(schema, "ended");
    expect(left).toBe(1_000);
    expect(await countOf(schema, "payloads")).toBe(left);
    await ask(url, `DROP TRIGGER refuse ON ${schema}.ended`);
    await sweep();
    await sleep(0);
    expect([await countOf(schema, "ended"), await countOf(schema, "payloads")]).toEqual([0, 0]);
  });
});
