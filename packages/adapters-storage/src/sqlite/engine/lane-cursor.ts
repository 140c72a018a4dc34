import type { LaneCursor, WaitingTask } from "@modelgate/core/adapter";
import { compareRank } from "@modelgate/core/adapter";
import type { SqlRow } from "../../rows/task-row.ts";
import type { Database } from "../driver.ts";
import type { LaneGroup } from "./model-lists.ts";

/** Up to so many lanes are asked one by one; a seek each is cheaper than walking past the lanes of others. */
const FEW_LANES = 16;

/** Heads of other lanes that are walked past before the wanted ones are asked for by name. */
const MOST_PASSED = 2048;

/** Below every rank and id. */
export const START = { rank: -1e18, id: "" } as const;

const IN_LANE = `
SELECT id, rank FROM tasks WHERE model = ? AND background = ? AND ready = 1 AND (rank, id) > (?, ?)
ORDER BY rank, id LIMIT ?`;
const HEADS = `
SELECT head_id, head_rank, model FROM lanes
WHERE background = ? AND head_id IS NOT NULL AND (head_rank, head_id) > (?, ?) ORDER BY head_rank, head_id LIMIT ?`;
// CROSS JOIN keeps SQLite from walking all lanes here: the list is what bounds the work.
const HEADS_OF = `
SELECT head_id, head_rank, lanes.model FROM json_each(?) AS wanted CROSS JOIN lanes
WHERE lanes.model = wanted.value AND background = ? AND head_id IS NOT NULL AND (head_rank, head_id) > (?, ?)
ORDER BY head_rank, head_id`;

/**
 * The waiting tasks of a group of lanes, lowest rank first. What it reads depends on the tasks that are taken and on
 * the number of lanes, never on how many tasks wait. The table `lanes` must be up to date for more than a few lanes.
 *
 * @param expected how many tasks the plan may take, so that a lane is read in one go.
 */
export function openLaneCursor(
  db: Database,
  group: LaneGroup,
  background: 0 | 1,
  expected: number,
): LaneCursor {
  const readers: LaneReader[] = [];
  let heads: Heads | undefined;
  if (group.models.length <= FEW_LANES) {
    for (const model of group.set) readers.push(new LaneReader(db, model, background, START, expected));
  } else heads = new Heads(db, group, background, expected);

  return {
    next() {
      let best: LaneReader | undefined;
      for (const reader of readers) {
        const task = reader.peek();
        if (task !== undefined && (best === undefined || compareRank(task, best.peek() as WaitingTask) < 0))
          best = reader;
      }
      const head = heads?.peek();
      if (head !== undefined && (best === undefined || compareRank(head, best.peek() as WaitingTask) < 0)) {
        heads?.pop();
        // Read on only when the plan asks for another: most plans take few tasks of each lane.
        readers.push(new LaneReader(db, head.model, background, head, 1));
        return head;
      }
      return best?.pop();
    },
  };
}

/** One lane from a place on, in growing pieces. */
class LaneReader {
  readonly #db: Database;
  readonly #model: string;
  readonly #background: 0 | 1;
  #last: { readonly rank: number; readonly id: string };
  #size: number;
  #tasks: WaitingTask[] = [];
  #at = 0;
  #isEnded = false;

  constructor(
    db: Database,
    model: string,
    background: 0 | 1,
    after: { rank: number; id: string },
    expected: number,
  ) {
    this.#db = db;
    this.#model = model;
    this.#background = background;
    this.#last = after;
    this.#size = expected;
  }

  peek(): WaitingTask | undefined {
    if (this.#at === this.#tasks.length && !this.#isEnded) this.#read();
    return this.#tasks[this.#at];
  }

  pop(): WaitingTask | undefined {
    const task = this.peek();
    this.#at += 1;
    return task;
  }

  #read(): void {
    const values = [this.#model, this.#background, this.#last.rank, this.#last.id, this.#size];
    const rows = this.#db.sql(IN_LANE).all(values);
    this.#isEnded = rows.length < this.#size;
    this.#tasks = rows.map((row) => toTask(row, this.#model));
    this.#at = 0;
    this.#last = this.#tasks.at(-1) ?? this.#last;
    this.#size = Math.min(2 * this.#size, 256);
  }
}

/** The first task of each wanted lane, lowest first. */
class Heads {
  readonly #db: Database;
  readonly #group: LaneGroup;
  readonly #background: 0 | 1;
  #last: { readonly rank: number; readonly id: string } = START;
  #size: number;
  #passed = 0;
  #heads: WaitingTask[] = [];
  #at = 0;
  #isEnded = false;

  constructor(db: Database, group: LaneGroup, background: 0 | 1, expected: number) {
    this.#db = db;
    this.#group = group;
    this.#background = background;
    this.#size = expected;
  }

  peek(): WaitingTask | undefined {
    while (this.#at === this.#heads.length && !this.#isEnded) this.#read();
    return this.#heads[this.#at];
  }

  pop(): void {
    this.#at += 1;
  }

  #read(): void {
    const { json } = this.#group;
    if (this.#passed > MOST_PASSED) {
      this.#group.json = json ?? JSON.stringify(this.#group.models);
      const values = [this.#group.json, this.#background, this.#last.rank, this.#last.id];
      this.#heads = this.#db.sql(HEADS_OF).all(values).map(toHead);
      this.#isEnded = true;
    } else {
      const rows = this.#db.sql(HEADS).all([this.#background, this.#last.rank, this.#last.id, this.#size]);
      this.#isEnded = rows.length < this.#size;
      const heads = rows.map(toHead);
      this.#last = heads.at(-1) ?? this.#last;
      this.#heads = heads.filter(({ model }) => this.#group.set.has(model));
      this.#passed += heads.length - this.#heads.length;
      this.#size = Math.min(4 * this.#size, 1024);
    }
    this.#at = 0;
  }
}

function toTask([id, rank]: SqlRow, model: string): WaitingTask {
  return { id: id as string, rank: rank as number, model };
}

function toHead(row: SqlRow): WaitingTask {
  return toTask(row, row[2] as string);
}
