import { GatewayError } from "@modelgate/core";
import { BodyPack } from "../body-pack.ts";
import type { Database } from "../driver.ts";
import { isOfConnection, isOfItem, toGatewayError } from "../sqlite-error.ts";
import { toWireError, type WireCall, type WireReply } from "../wire.ts";
import { FairLock, whenFree } from "./fair-lock.ts";
import { LaneCounts } from "./lane-counts.ts";
import { ModelLists } from "./model-lists.ts";
import { type OpenOptions, openDatabase } from "./open-database.ts";
import { isWrite, read, write } from "./operations.ts";
import { ownMark, registerProcess, unregisterProcess } from "./processes.ts";
import { type ListScan, scanTasks } from "./reads.ts";
import type { Session } from "./session.ts";
import { takeBackFromDead } from "./sweep.ts";

/** A call with the bytes that came with its message. */
export interface Incoming {
  readonly call: WireCall;
  readonly bytes: ArrayBuffer | undefined;
}

type Answers = Map<number, WireReply>;

/** One connection and what it does with the batches that come in. Runs in the worker; every method blocks. */
export class Store {
  readonly #options: OpenOptions & { readonly processId: string };
  readonly #modelLists = new ModelLists();
  #db: Database | undefined;
  #lock: FairLock | undefined;
  #frozen: { readonly nowMs: number; readonly random: number } | undefined;

  constructor(options: OpenOptions & { readonly processId: string }) {
    this.#options = options;
  }

  /** Opens on the first call, and again after an error that left the connection in doubt. */
  #open(): { db: Database; lock: FairLock } {
    if (this.#db !== undefined && this.#lock !== undefined) return { db: this.#db, lock: this.#lock };
    const db = openDatabase(this.#options);
    const lock = new FairLock(db, this.#options.busyTimeoutMs);
    try {
      lock.begin();
      const session = this.#session(db, new BodyPack(), false);
      registerProcess(session, ownMark());
      takeBackFromDead(session);
      session.lanes.flush();
      lock.commit();
    } catch (error) {
      lock.rollback();
      db.close();
      throw error;
    }
    this.#db = db;
    this.#lock = lock;
    return { db, lock };
  }

  #now(): number {
    return this.#frozen?.nowMs ?? Date.now();
  }

  #session(db: Database, bytesOut: BodyPack, isCareful: boolean): Session {
    const nowMs = this.#now();
    const dice = this.#frozen?.random;
    const random = dice === undefined ? Math.random : (): number => dice;
    const { processId } = this.#options;
    return {
      db,
      nowMs,
      random,
      processId,
      lanes: new LaneCounts(db),
      modelLists: this.#modelLists,
      bytesIn: undefined,
      bytesOut,
      returned: undefined,
      isCareful,
    };
  }

  /** Runs all writes in one transaction and then the reads. Nothing is answered before the transaction has committed. */
  run(incoming: readonly Incoming[]): {
    replies: WireReply[];
    bytes: ArrayBuffer | undefined;
    lists: WireCall[];
  } {
    const answers: Answers = new Map();
    const lists: WireCall[] = [];
    let bytesOut = new BodyPack();
    // No call of a batch has been answered yet, so that any order is a right one. Submitted first, a task can be
    // granted by an exchange of the same batch.
    const writes = incoming.filter(({ call }) => call.op === "submit");
    writes.push(...incoming.filter(({ call }) => call.op !== "submit" && isWrite(call)));
    for (const { call } of incoming) {
      // Whatever becomes of the transaction: lists are sent once.
      if (call.op === "exchange") this.#modelLists.learn(call);
      if (call.op !== "freeze") continue;
      this.#frozen = call;
      answers.set(call.n, [call.n, "ok", null]);
    }
    if (writes.length > 0) bytesOut = this.#write(writes, answers);
    for (const { call } of writes) if (call.op === "exchange") this.#modelLists.forget(call);
    for (const { call } of incoming) {
      if (answers.has(call.n)) continue;
      if (call.op === "list") lists.push(call);
      else
        answers.set(
          call.n,
          this.#answer(call, () =>
            call.op === "open"
              ? this.#opened()
              : read({ db: this.#open().db, nowMs: this.#now(), bytesOut }, call),
          ),
        );
    }
    return { replies: [...answers.values()], bytes: bytesOut.pack(), lists };
  }

  /** One step of a listing; a reply ends it. */
  list(call: WireCall & { op: "list" }, before: ListScan | undefined): WireReply | ListScan {
    let scan: ListScan | undefined;
    const reply = this.#answer(call, () => {
      scan = scanTasks(this.#open().db, call.request, before);
      return scan.rows;
    });
    return reply[1] === "ok" && scan?.isDone === false ? scan : reply;
  }

  close(): void {
    const db = this.#db;
    if (db === undefined || this.#lock === undefined) return;
    try {
      this.#lock.begin();
      unregisterProcess({ db, processId: this.#options.processId });
      this.#lock.commit();
      db.sql("PRAGMA wal_checkpoint(TRUNCATE)").get([]);
    } catch {
      // Nothing that was accepted depends on this: the next opening finds the process dead and the log complete.
      this.#lock.rollback();
    }
    db.close();
    this.#db = undefined;
  }

  #write(writes: readonly Incoming[], answers: Answers): BodyPack {
    for (const isCareful of [false, true]) {
      const bytesOut = new BodyPack();
      const written: Answers = new Map();
      try {
        this.#transaction(writes, written, bytesOut, isCareful);
        for (const [n, reply] of written) answers.set(n, reply);
        return bytesOut;
      } catch (error) {
        if (!isCareful && isOfItem(error)) continue;
        this.#doubt(error);
        for (const { call } of writes)
          answers.set(call.n, [call.n, "error", toWireError(toGatewayError(error))]);
        return new BodyPack();
      }
    }
    return new BodyPack();
  }

  #transaction(writes: readonly Incoming[], written: Answers, bytesOut: BodyPack, isCareful: boolean): void {
    const { db, lock } = this.#open();
    lock.begin();
    try {
      const session = this.#session(db, bytesOut, isCareful);
      let hasForgotten = false;
      for (const { call, bytes } of writes) {
        session.bytesIn = bytes;
        const reply = isCareful ? carefully(session, call) : attempt(session, call);
        written.set(call.n, reply);
        hasForgotten ||=
          call.op === "sweep" && (reply[2] as { hasForgotten?: boolean }).hasForgotten === true;
      }
      session.lanes.flush();
      lock.commit();
      if (hasForgotten) emptyLog(db);
    } catch (error) {
      lock.rollback();
      throw error;
    }
  }

  #answer(call: WireCall, work: () => unknown): WireReply {
    try {
      // The last process to close holds off readers while it writes the log back.
      return [call.n, "ok", whenFree(this.#options.busyTimeoutMs, work)];
    } catch (error) {
      this.#doubt(error);
      return [call.n, "error", toWireError(toGatewayError(error))];
    }
  }

  #opened(): { driver: string } {
    return { driver: this.#open().db.driver };
  }

  /** A connection that met a failing disk is opened anew, so that it sees what is really in the file. */
  #doubt(error: unknown): void {
    if (!isOfConnection(error) || this.#db === undefined) return;
    const db = this.#db;
    this.#db = undefined;
    try {
      db.close();
    } catch {
      // It may fail again on the same disk.
    }
  }
}

function attempt(session: Session, call: WireCall): WireReply {
  try {
    return [call.n, "ok", write(session, call)];
  } catch (error) {
    if (!GatewayError.is(error)) throw error;
    return [call.n, "error", toWireError(error)];
  }
}

/** Keeps a call that SQLite refuses as a whole from taking the others with it. */
function carefully(session: Session, call: WireCall): WireReply {
  const { db, lanes } = session;
  lanes.flush();
  db.exec("SAVEPOINT call");
  try {
    const reply = attempt(session, call);
    lanes.flush();
    db.exec("RELEASE call");
    return reply;
  } catch (error) {
    if (!isOfItem(error)) throw error;
    db.exec("ROLLBACK TO call; RELEASE call");
    lanes.undo(0);
    return [call.n, "error", toWireError(toGatewayError(error))];
  }
}

/** Deleted text is gone from the database by `secure_delete`; the log still has the pages as they were. */
function emptyLog(db: Database): void {
  try {
    db.sql("PRAGMA wal_checkpoint(TRUNCATE)").get([]);
  } catch {
    // Another process reads or writes. The sweep has committed; the next one that forgets something tries again.
  }
}
