import type { Operation } from "../wire.ts";
import { amend } from "./amend.ts";
import { apply } from "./apply.ts";
import { bring } from "./bring.ts";
import { claim } from "./claim.ts";
import { listDue } from "./due.ts";
import { exchange } from "./exchange.ts";
import { getTasks, readStats } from "./reads.ts";
import { deleteRecord, getRecord, listRecords, putRecord } from "./record-table.ts";
import type { Session } from "./session.ts";
import { submit } from "./submit.ts";
import { sweep } from "./sweep.ts";

const WRITES = new Set<Operation["op"]>([
  "submit",
  "bring",
  "exchange",
  "apply",
  "claim",
  "amend",
  "sweep",
  "record-put",
  "record-delete",
]);

export function isWrite({ op }: Operation): boolean {
  return WRITES.has(op);
}

/** Runs one call inside the transaction of its batch. A `GatewayError` is thrown before anything is written. */
export function write(session: Session, call: Operation): unknown {
  switch (call.op) {
    case "submit":
      return submit(session, call.tasks);
    case "bring":
      return bring(session, call.tasks);
    case "exchange":
      return exchange(session, call);
    case "apply":
      return apply(session, call);
    case "claim":
      return claim(session, call);
    case "amend":
      return amend(session, call.items);
    case "sweep":
      return sweep(session, call.request);
    case "record-put":
      return putRecord(session.db, call.key, call.value, call.expected);
    case "record-delete":
      return deleteRecord(session.db, call.key, call.expected);
    default:
      throw new Error(`${call.op} writes nothing`);
  }
}

/** Runs one call outside of a transaction, on what is committed. */
export function read(
  { db, nowMs, bytesOut }: Pick<Session, "db" | "nowMs" | "bytesOut">,
  call: Operation,
): unknown {
  switch (call.op) {
    case "get":
      return getTasks(db, bytesOut, call.ids, call.bodies);
    case "due":
      return listDue(db, nowMs, call.request);
    case "stats":
      return readStats(db, nowMs);
    case "record-get":
      return getRecord(db, call.key);
    case "record-list":
      return listRecords(db, call.prefix, call.after);
    default:
      throw new Error(`${call.op} is no read`);
  }
}
