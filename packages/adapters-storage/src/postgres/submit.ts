import { createHash } from "node:crypto";
import type { NewTask, SubmitOutcome, TaskRecord } from "@modelgate/core";
import { idempotencyMismatch, idTaken } from "@modelgate/core/adapter";
import { finite } from "../rows/finite.ts";
import { KEYED } from "../rows/forgotten.ts";
import { newRecord } from "../rows/new-record.ts";
import { toRecord } from "../rows/task-row.ts";
import { namingColumns, payloadColumns } from "./new-columns.ts";
import type { Session } from "./session.ts";

/**
 * Accepts tasks that were validated, all of them new as far as anybody knows, in one round trip. Fails as a whole with
 * `HAS_ENDED` when one of them has ended, and tells which were not new.
 */
export async function submitNew(
  { tx, sql }: Session,
  tasks: readonly NewTask[],
): Promise<(SubmitOutcome | undefined)[]> {
  // The same id twice in one batch: only the first can be new.
  const firsts = new Map(tasks.map((task) => [task.id, task] as const).reverse());
  const rows = tx.query(sql.submit, columnsOf([...firsts.values()]));
  // Somebody may have ended the task while the insertion waited for its row to go; only a later statement sees that.
  const checked = tx.query(sql.requireNew, [[...firsts.keys()]]);
  const committed = tx.commit();
  const fresh = new Map((await rows).map(([id, nowMs]) => [id as string, nowMs as number]));
  await checked;
  await committed;
  return tasks.map((task) => {
    const nowMs = fresh.get(task.id);
    if (nowMs === undefined || firsts.get(task.id) !== task) return undefined;
    return { outcome: "accepted", task: newRecord(task, nowMs) };
  });
}

/** Accepts tasks of which some may be known already, or have an idempotency key. */
export async function submitCarefully(session: Session, tasks: readonly NewTask[]): Promise<SubmitOutcome[]> {
  const { tx, sql } = session;
  const known = await readTasks(
    session,
    tasks.map(({ id }) => id),
  );
  const keyed = new Map(tasks.map((task) => [task, keyOf(task)] as const));
  const keys = await claimKeys(
    session,
    tasks.filter(({ id }) => !known.has(id)),
    keyed,
  );
  const fresh = new Map<string, NewTask>();
  for (const task of tasks) {
    const key = keyed.get(task);
    if (!known.has(task.id) && !fresh.has(task.id) && (key === undefined || keys.get(key)?.task === task.id))
      fresh.set(task.id, task);
  }
  const inserted = new Map<string, number>();
  if (fresh.size > 0) {
    for (const [id, nowMs] of await tx.query(sql.submit, columnsOf([...fresh.values()])))
      inserted.set(id as string, nowMs as number);
    await tx.query(sql.requireNew, [[...fresh.keys()]]);
  }
  const earlier = [...keys.values()].map(({ task }) => task).filter((id) => !fresh.has(id));
  const late = [...fresh.keys()].filter((id) => !inserted.has(id));
  for (const [id, task] of await readTasks(session, [...earlier, ...late])) known.set(id, task);
  await tx.commit();
  return tasks.map((task, at): SubmitOutcome => {
    const nowMs = inserted.get(task.id);
    if (nowMs !== undefined && fresh.get(task.id) === task)
      return { outcome: "accepted", task: newRecord(task, nowMs) };
    const first = fresh.get(task.id);
    // One that comes later in the batch was not there yet.
    const isKnown = first !== undefined && nowMs !== undefined && tasks.indexOf(first) < at;
    const before = known.get(task.id) ?? (isKnown ? newRecord(first, nowMs) : undefined);
    if (before !== undefined) return asKnown(task, before);
    const key = keys.get(keyed.get(task) ?? "");
    const named = key === undefined ? undefined : (known.get(key.task) ?? ofBatch(key.task, fresh, inserted));
    const isSame = key !== undefined && key.digest === task.idempotency?.digest;
    if (isSame && named !== undefined) return { outcome: "duplicate", task: named };
    return { outcome: "refused", error: idempotencyMismatch() };
  });
}

function ofBatch(
  id: string,
  fresh: ReadonlyMap<string, NewTask>,
  inserted: ReadonlyMap<string, number>,
): TaskRecord | undefined {
  const task = fresh.get(id);
  const nowMs = inserted.get(id);
  return task === undefined || nowMs === undefined ? undefined : newRecord(task, nowMs);
}

async function readTasks({ tx, sql }: Session, ids: readonly string[]): Promise<Map<string, TaskRecord>> {
  if (ids.length === 0) return new Map();
  const rows = await tx.query(sql.known, [ids]);
  return new Map(rows.map((row) => [row[1] as string, toRecord(row)]));
}

/** The outcome for a task whose id is there already. */
function asKnown(task: NewTask, before: TaskRecord): SubmitOutcome {
  const { model, operation, owner } = task;
  if (before.model === model && before.operation === operation && before.owner === owner)
    return { outcome: "accepted", task: before };
  return { outcome: "refused", error: idTaken() };
}

/** A digest, since an index holds no texts of any length. Lengths keep two sets of names from looking alike. */
function keyOf({ owner, model, operation, idempotency }: NewTask): string | undefined {
  if (idempotency === undefined) return undefined;
  const hash = createHash("sha256");
  for (const text of [owner, model, operation, idempotency.key])
    hash.update(`${text.length}:`).update(text, "utf16le");
  return hash.digest("hex");
}

interface KeyOwner {
  readonly task: string;
  readonly digest: string;
}

/** Whose each key is now: taken for the first task that names it, unless it stands for an earlier one. */
async function claimKeys(
  { tx, sql }: Session,
  tasks: readonly NewTask[],
  keyed: ReadonlyMap<NewTask, string | undefined>,
): Promise<Map<string, KeyOwner>> {
  const owners = new Map<string, KeyOwner>();
  const wanted = new Map<string, NewTask>();
  for (const task of tasks) {
    const key = keyed.get(task);
    if (key !== undefined && !wanted.has(key)) wanted.set(key, task);
  }
  if (wanted.size === 0) return owners;
  const bytes = [...wanted.keys()].map((key) => Buffer.from(key, "hex"));
  const expired = await tx.query(sql.dropKeys, [bytes]);
  if (expired.length > 0) await tx.query(sql.letGo, [expired.map(([task]) => task)]);
  // In the order of the keys, so that two batches with the same ones do not wait for each other both ways.
  const items = [...wanted].sort(([a], [b]) => (a < b ? -1 : 1));
  const taken = await tx.query(sql.takeKeys, [
    items.map(([key]) => Buffer.from(key, "hex")),
    items.map(([, task]) => task.idempotency?.digest),
    items.map(([, task]) => task.id),
    items.map(([, task]) => finite(task.idempotency?.keepMs ?? 0)),
  ]);
  for (const [key] of taken) {
    const hex = (key as Buffer).toString("hex");
    const task = wanted.get(hex) as NewTask;
    owners.set(hex, { task: task.id, digest: task.idempotency?.digest ?? "" });
  }
  const others = [...wanted.keys()].filter((key) => !owners.has(key)).map((key) => Buffer.from(key, "hex"));
  if (others.length === 0) return owners;
  for (const [key, digest, task] of await tx.query(sql.findKeys, [others]))
    owners.set((key as Buffer).toString("hex"), { task: task as string, digest: digest as string });
  return owners;
}

function columnsOf(tasks: readonly NewTask[]): unknown[] {
  return [
    ...namingColumns(tasks),
    tasks.map(({ priority, boostMs }) => priority * boostMs),
    tasks.map(({ waitMs }) => finite(waitMs)),
    ...payloadColumns(tasks),
    tasks.map(({ idempotency }) => (idempotency === undefined ? 0 : KEYED)),
  ];
}
