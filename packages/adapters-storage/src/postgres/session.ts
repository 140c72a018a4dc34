import type { Statement, Transaction } from "./pool.ts";
import type { Statements } from "./statements.ts";

/** What the parts of one transaction share. */
export interface Session {
  readonly tx: Transaction;
  readonly sql: Statements;
  readonly schema: string;
  /** The dice of back-off, from 0 up to 1. */
  readonly random: () => number;
}

/** Lets a transaction commit without waiting for the disk: a crash of the server may forget it. */
export const FORGETTABLE: Statement = { name: "", text: "SET LOCAL synchronous_commit = off" };
