import type { Database } from "../driver.ts";
import { isBusy } from "../sqlite-error.ts";

const cell = new Int32Array(new SharedArrayBuffer(4));

/** Blocks this thread. */
function pause(ms: number): void {
  Atomics.wait(cell, 0, 0, ms);
}

/** Tries again while other processes are in the way, up to `timeoutMs`. */
export function whenFree<T>(timeoutMs: number, attempt: () => T): T {
  const until = performance.now() + timeoutMs;
  for (;;) {
    try {
      return attempt();
    } catch (error) {
      if (!isBusy(error) || performance.now() >= until) throw error;
    }
    // SQLite's own handler backs off to 100 ms and then meets a free lock only by luck; short waits of random length
    // give each process the same chance.
    pause(0.2 + Math.random());
  }
}

/** How long after another process was last seen to commit it is thought to want more. */
const RIVAL_MS = 200;

/** Gives way at least so long: more than a waiting process sleeps between two tries. */
const GIVE_WAY_MS = 1.5;

/**
 * Takes the write lock so that each of several busy processes gets on. Whoever has just committed waits before it
 * takes the lock again, for as long as it held it, if others have committed lately; the first of those commits falls
 * into the gaps between two batches.
 */
export class FairLock {
  readonly #db: Database;
  readonly #timeoutMs: number;
  #version = -1;
  #rivalUntil = 0;
  #takenAt = 0;
  #freedAt = 0;

  constructor(db: Database, timeoutMs: number) {
    this.#db = db;
    this.#timeoutMs = timeoutMs;
  }

  begin(): void {
    const now = performance.now();
    // Changes only when another connection commits.
    const version = whenFree(
      this.#timeoutMs,
      () => this.#db.sql("PRAGMA data_version").get([])?.[0] as number,
    );
    if (this.#version !== -1 && version !== this.#version) this.#rivalUntil = now + RIVAL_MS;
    this.#version = version;
    if (now < this.#rivalUntil) {
      const rest = this.#freedAt + Math.max(GIVE_WAY_MS, this.#freedAt - this.#takenAt) - now;
      if (rest > 0) pause(Math.min(rest, 20));
    }
    whenFree(this.#timeoutMs, () => this.#db.exec("BEGIN IMMEDIATE"));
    this.#takenAt = performance.now();
  }

  commit(): void {
    whenFree(this.#timeoutMs, () => this.#db.exec("COMMIT"));
    this.#freedAt = performance.now();
  }

  rollback(): void {
    this.#freedAt = performance.now();
    try {
      this.#db.exec("ROLLBACK");
    } catch {
      // SQLite has ended the transaction itself, as it does when the disk is full.
    }
  }
}
