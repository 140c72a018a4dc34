import assert from "node:assert/strict";
import type { Amendment, Ledger } from "../../contracts/ledger.ts";
import { LONG_MS, newTask } from "../support/builders.ts";
import { accepted } from "../support/checks.ts";
import { type LedgerTest, pairOf } from "./fixture.ts";

const DEFAULT_ROWS = 100_000;
const BATCH = 2000;
const PAGE = 1000;

/** Of so many rows one is ended during the walk, and one was before. */
const ENDED_EACH = 10;

function idOf(at: number): string {
  return `row-${String(at).padStart(7, "0")}`;
}

function cancelOf(id: string): Amendment {
  return { kind: "cancel", id };
}

function idsOf(count: number, keep: (at: number) => boolean): string[] {
  return Array.from({ length: count }, (_, at) => at).flatMap((at) => (keep(at) ? [idOf(at)] : []));
}

/** What another client does while a listing is walked: inserts some tasks, ends some, and removes some rows for good. */
async function disturb(ledger: Ledger, page: number, toEnd: string[]): Promise<void> {
  const added = Array.from({ length: 5 }, (_, at) => newTask(`added-${page}-${at}`, { model: "added" }));
  const ended = toEnd.splice(0, PAGE / ENDED_EACH).map(cancelOf);
  const retention = { payloadMs: LONG_MS, resultMs: LONG_MS, rowMs: 0 };
  await Promise.all([
    ledger.submit(added),
    ledger.amend(ended),
    ledger.sweep({ limit: PAGE / ENDED_EACH, unserved: [], retention }),
  ]);
}

export const walking: readonly LedgerTest[] = [
  {
    name: "a walk by cursor meets each task that is there all the while exactly once, whatever others write",
    timeoutMs: 180_000,
    async run(fixture) {
      const [ledger, other] = await pairOf(fixture);
      const rows = fixture.walkRows ?? DEFAULT_ROWS;
      const ids = idsOf(rows, () => true);
      const payload = { sizeBytes: 1, key: "object" };
      for (let at = 0; at < rows; at += BATCH)
        accepted(await ledger.submit(ids.slice(at, at + BATCH).map((id) => newTask(id, { payload }))));
      const endedBefore = idsOf(rows, (at) => at % ENDED_EACH === 1);
      for (let at = 0; at < endedBefore.length; at += BATCH)
        await ledger.amend(endedBefore.slice(at, at + BATCH).map(cancelOf));
      const toEnd = idsOf(rows, (at) => at % ENDED_EACH === 0);
      const remains = idsOf(rows, (at) => at % ENDED_EACH > 1);

      const met = new Map<string, number>();
      const pageSize = Math.max(1, Math.min(PAGE, Math.floor(rows / 20)));
      let cursor: string | undefined;
      let pages = 0;
      do {
        const [page] = await Promise.all([
          ledger.list({ limit: pageSize, cursor }),
          disturb(other, pages, toEnd),
        ]);
        for (const { id } of page.items) met.set(id, (met.get(id) ?? 0) + 1);
        cursor = page.nextCursor;
        pages += 1;
        assert.ok(pages < rows, "the walk has no end");
      } while (cursor !== undefined);

      const twice = [...met].filter(([, times]) => times > 1);
      assert.deepEqual(twice.slice(0, 5), [], `${twice.length} tasks were met more than once`);
      const missed = remains.filter((id) => !met.has(id));
      assert.deepEqual(missed.slice(0, 5), [], `${missed.length} tasks were not met`);
      const [removed] = await ledger.get([endedBefore[0] ?? ""]);
      assert.equal(removed, undefined, "rows were removed during the walk");
    },
  },
];
