export type { BringsTasks, BroughtOutcome } from "../rows/bring.ts";
export { backupSqlite, type SqliteBackupOptions } from "./backup.ts";
export { type SqliteStore, type SqliteStoreOptions, sqliteStore } from "./sqlite-store.ts";
