import { GatewayError } from "@modelgate/core";
import type { BodyPack, BodySlice } from "../body-pack.ts";
import { viewOf } from "../body-pack.ts";
import type { Database } from "../driver.ts";
import { isOfItem, toGatewayError } from "../sqlite-error.ts";
import type { LaneCounts } from "./lane-counts.ts";
import type { ModelLists } from "./model-lists.ts";

/** What the operations of one transaction share. */
export interface Session {
  readonly db: Database;
  /** The store's clock. */
  readonly nowMs: number;
  readonly random: () => number;
  /** The row of this opening in `processes`. */
  readonly processId: string;
  readonly lanes: LaneCounts;
  readonly modelLists: ModelLists;
  /** The bytes that came with the call that is at work. */
  bytesIn: ArrayBuffer | undefined;
  /** The bytes that go back with the replies. */
  readonly bytesOut: BodyPack;
  /** While an apply is at work: the tasks that wait again because of it. */
  returned: Set<string> | undefined;
  /** Whether each item has a savepoint of its own, because the batch failed without. */
  readonly isCareful: boolean;
}

export function bytesAt(session: Session, slice: BodySlice): Uint8Array {
  return viewOf(session.bytesIn, slice);
}

/**
 * Runs the writes of one item. In a careful session an item that SQLite refuses is undone by itself and answered by
 * `refused`; otherwise its error ends the batch, which is then run again carefully.
 */
export function guardItem<T>(session: Session, write: () => T, refused: (error: GatewayError) => T): T {
  if (!session.isCareful) return write();
  const { db, lanes } = session;
  const mark = lanes.mark();
  db.exec("SAVEPOINT item");
  try {
    const done = write();
    db.exec("RELEASE item");
    return done;
  } catch (error) {
    if (!isOfItem(error)) throw error;
    db.exec("ROLLBACK TO item; RELEASE item");
    lanes.undo(mark);
    const { details } = toGatewayError(error);
    return refused(
      new GatewayError("INVALID_REQUEST", "the store cannot hold this item", { cause: error, details }),
    );
  }
}
