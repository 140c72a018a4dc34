import pg from "pg";
import { expect, it, onTestFinished } from "vitest";
import { tcpProxy } from "../support/tcp-proxy.ts";
import { ask, newSchema, onEachServer, openStore } from "./servers.ts";

onEachServer("records", (url) => {
  it("whose answer was lost on its way are written once, and their writer is told so", async () => {
    const proxy = await tcpProxy(url);
    onTestFinished(() => proxy.close());
    const schema = newSchema(url);
    const { records } = openStore({ url: proxy.through(url), schema });
    const versions = async (): Promise<unknown[]> =>
      (await ask(url, `SELECT version FROM ${schema}.records`)).map(({ version }) => version);
    await records.get("k");

    let expected: string | null = null;
    for (const value of ["made", "changed"]) {
      proxy.mode = "keep-answers";
      const writing = records.put("k", value, expected);
      const before = expected;
      await expect.poll(versions).toEqual([expect.not.stringMatching(before ?? "none")]);
      const [written] = await versions();
      proxy.mode = "pass";
      proxy.cut();
      const record = await writing;
      expect([record?.value, record?.version]).toEqual([value, written]);
      expect(await versions()).toEqual([written]);
      expected = record?.version ?? null;
    }
  });

  it("of others are not taken for one's own when a write is sent again", async () => {
    const schema = newSchema(url);
    const { records } = openStore({ url, schema });
    const first = await records.put("k", 1, null);
    expect(await records.put("k", 2, null)).toBeUndefined();
    expect(await records.put("k", 2, first?.version ?? null)).toMatchObject({ value: 2 });
    expect(await records.put("k", 3, first?.version ?? null)).toBeUndefined();
    expect((await records.get("k"))?.value).toBe(2);
  });

  it("come in the order of their keys' bytes, and by prefixes that look like patterns", async () => {
    const { records } = openStore({ url, schema: newSchema(url) });
    const keys = ["a", "a%", "a%b", "a_", "aB", "aa", "a\\", "a\u00e9", "a\u{10000}", "a\uffff", "b"];
    for (const key of keys) await records.put(key, key, null);
    const found = async (prefix: string): Promise<string[]> =>
      (await records.list(prefix)).items.map(({ key }) => key);
    const byBytes = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(await found("")).toEqual(byBytes);
    expect(await found("a")).toEqual(byBytes.filter((key) => key !== "b"));
    expect(await found("a%")).toEqual(["a%", "a%b"]);
    expect(await found("a_")).toEqual(["a_"]);
    expect(await found("a\\")).toEqual(["a\\"]);
  });

  it("are found by an index, however many there are", async () => {
    const schema = newSchema(url);
    const client = new pg.Pool({ connectionString: url, max: 1 });
    onTestFinished(() => client.end());
    const { records } = openStore({ client, schema });
    await records.get("k");
    await client.query(
      `INSERT INTO ${schema}.records SELECT 'k/' || n, '1', n::text FROM generate_series(1, 50000) AS n`,
    );
    const before = await scans(client, schema);
    await records.get("k/77");
    await records.list("k/4");
    expect(await scans(client, schema)).toEqual({ byIndex: before.byIndex + 2, ofAll: before.ofAll });
  });

  it("with a key that no index holds are refused, and leave nothing", async () => {
    const schema = newSchema(url);
    const { records } = openStore({ url, schema });
    // Noise, since what repeats itself is compressed.
    const key = Array.from({ length: 6_000 }, () =>
      String.fromCodePoint(0x4e00 + Math.floor(Math.random() * 20_000)),
    ).join("");
    await expect(records.put(key, 1, null)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    await expect(records.put("a\0b", 1, null)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    expect(await ask(url, `SELECT * FROM ${schema}.records`)).toEqual([]);
    expect((await records.put("k", 1, null))?.value).toBe(1);
  });

  it("take any text for a version that nobody has", async () => {
    const { records } = openStore({ url, schema: newSchema(url) });
    await records.put("k", 1, null);
    for (const version of ["", "a\0b", "\ud800", "x".repeat(10_000)]) {
      expect(await records.put("k", 2, version)).toBeUndefined();
      expect(await records.delete("k", version)).toBe(false);
    }
    expect((await records.get("k"))?.value).toBe(1);
  });
});

/** A session counts for itself, and tells the others a while later unless it is asked to do so. */
async function scans(session: pg.Pool, schema: string): Promise<{ byIndex: number; ofAll: number }> {
  await session.query("SELECT pg_stat_force_next_flush()");
  const text =
    "SELECT idx_scan, seq_scan FROM pg_stat_user_tables WHERE schemaname = $1 AND relname = 'records'";
  const [row] = (await session.query(text, [schema])).rows;
  return { byIndex: Number(row.idx_scan), ofAll: Number(row.seq_scan) };
}
