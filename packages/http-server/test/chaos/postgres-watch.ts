import pg from "pg";
import { type SqlRow, TASK_COLUMNS, toRecord } from "../../../adapters-storage/src/rows/task-row.ts";
import type { RowChange, StoreWatch } from "./store-watch.ts";

/** What both tables of tasks have, in the order of the columns; the rest is as the view of all tasks shows it. */
const OF_ENDED: Readonly<Record<string, string>> = {
  holder: "NULL",
  lease_at: "NULL",
  recovering: "0::smallint",
  ready: "NULL",
};
const OF_LIVE: Readonly<Record<string, string>> = { finished_at: "NULL", ended_by: "NULL", result: "NULL" };
const COLUMNS = TASK_COLUMNS.split(",").map((name) => name.trim());

/** Watches the tables in `schema` from inside their transactions. Asked by an address of its own, which no fault befalls. */
export function watchPostgres(url: string, schema: string): StoreWatch {
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  // An idle connection goes with its server; the next question makes another one.
  pool.on("error", () => {});
  const rows = async (text: string): Promise<SqlRow[]> => {
    const { rows: found } = await pool.query({ text, rowMode: "array" });
    return found as unknown as SqlRow[];
  };
  return {
    async install() {
      await pool.query(`CREATE TABLE ${schema}.chaos_rows AS
          SELECT 0::bigint AS change, 0::double precision AS at, ${TASK_COLUMNS} FROM ${schema}.tasks WHERE false;
        CREATE SEQUENCE ${schema}.chaos_changes;
        ${triggerFor(schema, "live", OF_LIVE)}
        ${triggerFor(schema, "ended", OF_ENDED)}`);
    },
    async changes(): Promise<readonly RowChange[]> {
      const found = await rows(`SELECT at, ${TASK_COLUMNS} FROM ${schema}.chaos_rows ORDER BY change`);
      return found.map(([at, ...row]) => ({ atMs: at as number, task: toRecord(row) }));
    },
    tasks: async () =>
      (await rows(`SELECT ${TASK_COLUMNS} FROM ${schema}.tasks`)).map((row) => toRecord(row)),
    holds: async () =>
      (await rows(`SELECT server, id FROM ${schema}.holds`)).map(([server, id]) => ({
        server: server as string,
        id: id as string,
      })),
    run: async (sql) => {
      await pool.query(sql);
    },
    endedTable: `${schema}.ended`,
    close: () => pool.end(),
  };
}

function triggerFor(schema: string, table: string, instead: Readonly<Record<string, string>>): string {
  const values = COLUMNS.map((name) => instead[name] ?? `NEW.${name}`).join(", ");
  // Of one task the rows are locked from change to change, so that the sequence tells their order.
  return `CREATE FUNCTION ${schema}.chaos_${table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO ${schema}.chaos_rows SELECT nextval('${schema}.chaos_changes'),
        extract(epoch FROM clock_timestamp()) * 1000, ${values};
      RETURN NULL;
    END $$;
    CREATE TRIGGER chaos_${table} AFTER INSERT OR UPDATE ON ${schema}.${table}
      FOR EACH ROW EXECUTE FUNCTION ${schema}.chaos_${table}();`;
}
