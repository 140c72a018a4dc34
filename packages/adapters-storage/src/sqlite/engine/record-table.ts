import { randomUUID } from "node:crypto";
import type { Database } from "../driver.ts";
import type { WireRecord } from "../wire.ts";

const PAGE = 100;

/** Above every character that a key may hold. */
const LAST_CHARACTER = "\u{10FFFF}";

const LIST =
  "SELECT key, value, version FROM records WHERE key >= ? AND key > ? AND key < ? ORDER BY key LIMIT ?";

export function getRecord(db: Database, key: string): WireRecord | null {
  return (
    (db.sql("SELECT key, value, version FROM records WHERE key = ?").get([key]) as WireRecord | undefined) ??
    null
  );
}

/** The new version, or `null` when somebody else was first. */
export function putRecord(db: Database, key: string, value: string, expected: string | null): string | null {
  const version = randomUUID();
  const { changes } =
    expected === null
      ? db
          .sql("INSERT INTO records (key, value, version) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
          .run([key, value, version])
      : db
          .sql("UPDATE records SET value = ?, version = ? WHERE key = ? AND version = ?")
          .run([value, version, key, expected]);
  return changes === 0 ? null : version;
}

export function deleteRecord(db: Database, key: string, expected: string): boolean {
  return db.sql("DELETE FROM records WHERE key = ? AND version = ?").run([key, expected]).changes > 0;
}

/** A page, and whether there is another. */
export function listRecords(db: Database, prefix: string, after: string): readonly [WireRecord[], boolean] {
  const rows = db
    .sql(LIST)
    .all([prefix, after, prefix + LAST_CHARACTER, PAGE + 1]) as unknown as WireRecord[];
  return [rows.slice(0, PAGE), rows.length > PAGE];
}
