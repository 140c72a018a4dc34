import type { ResultRef, SweepRequest } from "@modelgate/core";
import { KEYED, PAYLOAD, RESULT } from "../rows/forgotten.ts";
import type { SqlRow } from "../rows/task-row.ts";
import type { Session } from "./session.ts";

/** So many at once, so that no transaction is long. */
const AT_ONCE = 1_000;

type Retention = NonNullable<SweepRequest["retention"]>;

/** One kind of forgetting: which ended tasks it still concerns, and after how long. */
interface Kind {
  readonly of: readonly number[];
  readonly ageMs: (retention: Retention) => number;
  readonly forget: (session: Session, rows: readonly SqlRow[], keys: string[]) => Promise<void>;
}

const KINDS: readonly Kind[] = [
  {
    of: [0, RESULT, KEYED, KEYED + RESULT],
    ageMs: ({ payloadMs }) => payloadMs,
    async forget({ tx, sql }, rows, keys) {
      const identities = rows.map(([, , identity]) => {
        const parsed = JSON.parse(identity as string) as { payload: { key?: string } };
        if (parsed.payload.key !== undefined) keys.push(parsed.payload.key);
        return JSON.stringify({
          ...parsed,
          payload: { ...parsed.payload, key: undefined, isForgotten: true },
        });
      });
      await tx.query(sql.forgetPayloads, [rows.map(([id]) => id), rows.map(([, seq]) => seq), identities]);
    },
  },
  {
    of: [0, PAYLOAD, KEYED, KEYED + PAYLOAD],
    ageMs: ({ resultMs }) => resultMs,
    async forget({ tx, sql }, rows, keys) {
      const results = rows.map(([, , , result]) => {
        const parsed = resultOf(result as string | null);
        if (parsed?.key !== undefined) keys.push(parsed.key);
        return parsed === undefined ? null : JSON.stringify({ ...parsed, key: undefined, isForgotten: true });
      });
      await tx.query(sql.forgetResults, [rows.map(([id]) => id), rows.map(([, seq]) => seq), results]);
    },
  },
  {
    of: [0, PAYLOAD, RESULT, PAYLOAD + RESULT],
    ageMs: ({ rowMs }) => rowMs,
    async forget({ tx, sql }, rows, keys) {
      for (const [, , identity, result] of rows) {
        const { payload } = JSON.parse(identity as string) as { payload: { key?: string } };
        for (const ref of [payload, resultOf(result as string | null)])
          if (ref?.key !== undefined) keys.push(ref.key);
      }
      await tx.query(sql.forgetRows, [rows.map(([id]) => id), rows.map(([, seq]) => seq)]);
    },
  },
];

function resultOf(text: string | null): ResultRef | undefined {
  return text === null ? undefined : (JSON.parse(text) as ResultRef);
}

/** Runs one small transaction. */
export type InTransaction = <T>(work: (session: Session) => Promise<T>) => Promise<T>;

/** Forgets what has ended long enough ago; gives the room that is left of `limit`. Adds the objects that it freed. */
export async function forgetEnded(
  inTransaction: InTransaction,
  retention: Retention,
  limit: number,
  keys: string[],
): Promise<number> {
  let room = limit;
  for (const kind of KINDS) {
    for (let hasMore = true; hasMore && room > 0; ) {
      const most = Math.min(room, AT_ONCE);
      const count = await inTransaction(async (session) => {
        const { tx, sql } = session;
        // Kept apart until the commit: what is undone has freed nothing.
        const freed: string[] = [];
        const rows = await tx.query(sql.oldest, [kind.of, kind.ageMs(retention), most]);
        if (rows.length > 0) await kind.forget(session, rows, freed);
        await tx.commit();
        keys.push(...freed);
        return rows.length;
      });
      room -= count;
      hasMore = count === most;
    }
  }
  return room;
}

/** Forgets idempotency keys whose time is over, so that the rows of their tasks may go. */
export async function forgetKeys({ tx, sql }: Session): Promise<void> {
  const rows = await tx.query(sql.expiredKeys, [AT_ONCE]);
  if (rows.length > 0) await tx.query(sql.letGo, [rows.map(([task]) => task)]);
  await tx.commit();
}
