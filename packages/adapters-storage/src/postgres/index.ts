export type { BringsTasks, BroughtOutcome } from "../rows/bring.ts";
export { type ForeignDatabase, type ForeignRow, readForeignDatabase } from "./foreign.ts";
export { inspectPostgres } from "./inspect.ts";
export type { PostgresInspection, PostgresProblem } from "./inspection.ts";
export { migratePostgres, postgresMigrationSql } from "./migrate.ts";
export type {
  PostgresClientLike,
  PostgresPoolLike,
  PostgresQuery,
  PostgresResult,
  PostgresStoreOptions,
  PostgresTlsOptions,
} from "./options.ts";
export { type PostgresStore, postgresStore } from "./store.ts";
