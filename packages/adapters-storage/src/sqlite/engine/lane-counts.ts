import type { Database } from "../driver.ts";

interface Change {
  readonly model: string;
  readonly background: 0 | 1;
  readonly waiting: number;
  readonly waitingBytes: number;
}

// The head is read again rather than reckoned: one seek for each lane and transaction, however many tasks came and went.
const UPSERT = `
INSERT INTO lanes (model, background, waiting, waiting_bytes, head_rank, head_id)
SELECT ?, ?, ?, ?, head.rank, head.id FROM (SELECT 1)
  LEFT JOIN (SELECT rank, id FROM tasks WHERE model = ? AND background = ? AND ready = 1 ORDER BY rank, id LIMIT 1) AS head
WHERE true
ON CONFLICT (model, background) DO UPDATE SET waiting = waiting + excluded.waiting,
  waiting_bytes = waiting_bytes + excluded.waiting_bytes, head_rank = excluded.head_rank, head_id = excluded.head_id
RETURNING waiting`;

/** What a transaction changed in the lanes; written once for each lane, before it commits. */
export class LaneCounts {
  readonly #db: Database;
  #changes: Change[] = [];

  constructor(db: Database) {
    this.#db = db;
  }

  /** A task came to its lane (1), left it (-1) or has another place in it (0). */
  change(model: string, background: 0 | 1, waiting: -1 | 0 | 1, payloadBytes: number): void {
    this.#changes.push({ model, background, waiting, waitingBytes: waiting * payloadBytes });
  }

  mark(): number {
    return this.#changes.length;
  }

  undo(mark: number): void {
    this.#changes.length = mark;
  }

  /** Brings the table `lanes` up to date. */
  flush(): void {
    if (this.#changes.length === 0) return;
    const lanes = new Map<
      string,
      { model: string; background: 0 | 1; waiting: number; waitingBytes: number }
    >();
    for (const { model, background, waiting, waitingBytes } of this.#changes) {
      const key = background === 1 ? `b${model}` : `f${model}`;
      const lane = lanes.get(key);
      if (lane === undefined) lanes.set(key, { model, background, waiting, waitingBytes });
      else {
        lane.waiting += waiting;
        lane.waitingBytes += waitingBytes;
      }
    }
    const upsert = this.#db.sql(UPSERT);
    for (const { model, background, waiting, waitingBytes } of lanes.values()) {
      const row = upsert.get([model, background, waiting, waitingBytes, model, background]);
      if (row !== undefined && (row[0] as number) <= 0) {
        this.#db.sql("DELETE FROM lanes WHERE model = ? AND background = ?").run([model, background]);
      }
    }
    this.#changes = [];
  }
}
