import type { ExchangeOutcome, RenewRef, Settlement } from "@modelgate/core";
import { renew, settle, type Transition } from "@modelgate/core/adapter";
import type { SqlRow } from "../rows/task-row.ts";
import { resultJson } from "../rows/task-row.ts";
import type { Session } from "./session.ts";
import { lockTasks, type StoredTask, type TaskChange, writeTasks } from "./task-rows.ts";

type Succeeded = Settlement & { readonly kind: "succeeded" };

/** The settlements that one statement writes: endings with success, of each task one. */
export function plainOnes(items: readonly Settlement[]): Succeeded[] {
  const once = new Map<string, number>();
  for (const { id } of items) once.set(id, (once.get(id) ?? 0) + 1);
  return items
    .filter((item): item is Succeeded => item.kind === "succeeded" && once.get(item.id) === 1)
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Ends those that their attempt still holds; gives their ids. */
export function succeed({ tx, sql }: Session, items: readonly Succeeded[]): Promise<SqlRow[]> {
  return tx.query(sql.succeed, [
    items.map(({ id }) => id),
    items.map(({ attempt }) => attempt),
    items.map(({ result }) => resultJson(result)),
    items.map(({ result }) => result.inline ?? null),
    items.map(({ releaseHold }) => releaseHold),
  ]);
}

/** Keeps those that their attempt still holds; gives id, attempt and whether a cancel is wanted. */
export function renewHeld(
  { tx, sql }: Session,
  items: readonly RenewRef[],
  leaseMs: number,
): Promise<SqlRow[]> {
  // Of two that name one attempt, an update would take either.
  const sent = new Set(items.filter((item) => item.sent).map(keyOf));
  const sorted = [...items].sort((a, b) => (a.id < b.id ? -1 : 1));
  return tx.query(sql.renew, [
    sorted.map(({ id }) => id),
    sorted.map(({ attempt }) => attempt),
    sorted.map((item) => sent.has(keyOf(item))),
    leaseMs,
  ]);
}

function keyOf({ id, attempt }: RenewRef): string {
  return `${id}.${attempt}`;
}

/** What one call settles and renews, one item after another, by the state machine. */
export interface Rest {
  readonly settle: readonly { readonly index: number; readonly item: Settlement }[];
  readonly renew: readonly { readonly index: number; readonly item: RenewRef }[];
  readonly leaseMs: number;
}

/** Runs the items that no single statement could write, in order, and writes what became of each task; gives all
 * that it saw. */
export async function settleRest(
  session: Session,
  { settle: settlements, renew: renewals, leaseMs }: Rest,
  nowMs: number,
  outcomes: { readonly settled: ExchangeOutcome[]; readonly renewed: ExchangeOutcome[] },
): Promise<TaskChange[]> {
  const ids = [...new Set([...settlements, ...renewals].map(({ item }) => item.id))];
  const found = await lockTasks(session, ids);
  const now = new Map<string, TaskChange>();
  const released: [server: string, id: string][] = [];
  const apply = (id: string, change: (task: StoredTask["task"]) => Transition): ExchangeOutcome => {
    const before = found.get(id);
    if (before === undefined) return { outcome: "unknown" };
    const task = now.get(id)?.after ?? before.task;
    const transition = change(task);
    if (transition.changed !== undefined) now.set(id, { ...now.get(id), before, after: transition.changed });
    if (transition.outcome !== "stale") return { outcome: transition.outcome };
    return { outcome: "stale", attempt: task.attempt, state: task.state };
  };
  for (const { index, item } of settlements) {
    const task = now.get(item.id)?.after ?? found.get(item.id)?.task;
    const isChanged = (): boolean => now.get(item.id)?.after !== task && now.has(item.id);
    outcomes.settled[index] = apply(item.id, (current) => settle(current, withoutBytes(item), nowMs));
    if (!isChanged()) continue;
    const bytes = "result" in item ? item.result?.inline : undefined;
    const change = now.get(item.id);
    if (bytes !== undefined && change !== undefined) now.set(item.id, { ...change, result: bytes });
    if ("releaseHold" in item && item.releaseHold && task?.server !== undefined)
      released.push([task.server, item.id]);
  }
  for (const { index, item } of renewals)
    outcomes.renewed[index] = apply(item.id, (current) => renew(current, item, leaseMs, nowMs));
  await writeTasks(session, [...now.values()], nowMs);
  await dropHolds(session, released);
  return Array.from(found, ([id, before]) => now.get(id) ?? { before, after: before.task });
}

/** Frees servers from the tasks that took them; from one attempt only where it is named. */
export async function dropHolds(
  { tx, sql }: Session,
  holds: readonly (readonly [server: string, id: string, attempt?: number])[],
): Promise<void> {
  if (holds.length === 0) return;
  await tx.query(sql.dropHolds, [
    holds.map(([server]) => server),
    holds.map(([, id]) => id),
    holds.map(([, , attempt]) => attempt ?? null),
  ]);
}

/** The state machine keeps what it is given: bytes lie apart. */
function withoutBytes(item: Settlement): Settlement {
  if (!("result" in item) || item.result?.inline === undefined) return item;
  return { ...item, result: { ...item.result, inline: undefined } } as Settlement;
}
