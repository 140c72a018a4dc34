import type { PostgresPool } from "./pool.ts";
import type { Session } from "./session.ts";
import type { Statements } from "./statements.ts";

/** Rows of the busy tables that were deleted or replaced, above which they are vacuumed at once. */
const MOST_DEAD = 20_000;

/** Between two looks at how the tables are. */
const EVERY_MS = 5_000;

/** A runner that has not been heard of for so long has no lease, and its number is not used again. */
const RUNNER_MS = 7 * 86_400_000;

/** Lanes with more rows than this are folded: sessions come and go, and each leaves its own. */
const MOST_LANE_ROWS = 256;

/**
 * Keeps the busy tables small. The server's own vacuum looks once a minute, in which a busy ledger leaves hundreds of
 * thousands of dead entries before the first waiting task, and every claim steps over them.
 */
export class Upkeep {
  readonly #pool: PostgresPool;
  readonly #sql: Statements;
  #nextAtMs = 0;

  constructor(pool: PostgresPool, sql: Statements) {
    this.#pool = pool;
    this.#sql = sql;
  }

  /** Does what is due. Never rejects: nothing depends on it but speed. */
  async run(session: <T>(work: (session: Session) => Promise<T>) => Promise<T>): Promise<void> {
    const now = performance.now();
    if (now < this.#nextAtMs) return;
    this.#nextAtMs = now + EVERY_MS;
    const { schema } = this.#pool.options;
    try {
      const dead = await this.#pool.query(this.#sql.deadRows, [schema]);
      for (const [table, count] of dead) {
        if ((count as number) < MOST_DEAD) continue;
        // Whoever may not, or finds another at it, leaves it to the server.
        await this.#pool.alone(`VACUUM (SKIP_LOCKED, TRUNCATE FALSE) ${schema}.${table as string}`);
      }
      await session(async ({ tx, sql }) => {
        await tx.query(sql.forgetRunners, [RUNNER_MS]);
        const [count] = await tx.query(sql.laneRows);
        if ((count?.[0] as number) > MOST_LANE_ROWS) {
          const lanes = await tx.query(sql.foldLanes);
          const column = (at: number): unknown[] => lanes.map((lane) => lane[at]);
          if (lanes.length > 0) await tx.query(sql.changeLanes, [column(0), column(1), column(2), column(3)]);
        }
        await tx.commit();
      });
    } catch {
      // The next look is soon enough.
    }
  }
}
