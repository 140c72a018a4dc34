export type { BringsTasks, BroughtOutcome } from "../rows/bring.ts";
export { type SqliteStore, type SqliteStoreOptions, sqliteStore } from "./sqlite-store.ts";
