import type { ApplyRequest, ExchangeOutcome, Grant, Settlement, TaskRecord } from "@modelgate/core";
import {
  type Begun,
  beginSequence,
  expire,
  holderOf,
  type LoggedGrant,
  recover,
  unbegin,
} from "@modelgate/core/adapter";
import { finite } from "../rows/finite.ts";
import { toKnownRunner } from "../rows/runner-row.ts";
import type { SqlRow } from "../rows/task-row.ts";
import { withPayloads } from "./grants.ts";
import { lockNumber } from "./lock-number.ts";
import type { Session } from "./session.ts";
import { dropHolds, plainOnes, type Rest, renewHeld, settleRest, succeed } from "./settle.ts";
import { lockTasks, type StoredTask, type TaskChange, toStored, writeTasks } from "./task-rows.ts";

/** What an exchange with new work and one without have in common. */
export type ExchangeParts = Omit<ApplyRequest, "servers">;

/** An exchange whose items were checked; `undefined` is one that was refused. */
export interface FitExchange<Request extends ExchangeParts> {
  readonly request: Request;
  readonly settle: readonly (Settlement | undefined)[];
}

/** Told when grants must go back before anything else is done, which the quick way has already begun to do. */
export const IN_ORDER: unique symbol = Symbol("in order");

/** A task as it was and as it is now. */
interface Touched {
  readonly before: Pick<StoredTask, "task">;
  readonly after: TaskRecord;
}

/** An exchange before anything is granted that waited. */
export interface Opened<Seen> {
  readonly begun: Begun;
  readonly nowMs: number;
  readonly settled: ExchangeOutcome[];
  readonly renewed: ExchangeOutcome[];
  readonly recovered: Grant[];
  /** When the next delayed task was due, before anything was done. */
  readonly dueIn: number | undefined;
  /** Whether tasks may wait now that did not before. */
  readonly mayReturn: boolean;
  /** What was taken back, and what the state machine saw, whether it changed it or not. */
  readonly touched: readonly Touched[];
  /** What `look` gave, if nothing has changed since. */
  readonly seen: Seen | undefined;
}

/**
 * Settles, renews, releases and recovers; does what the ledger in memory does, in the same order. All that needs no
 * answer is sent at once.
 *
 * @param isInOrder waits for each step; for a call before which grants go back, and to find the item that fails.
 * @param look reads what the rest of the exchange needs; waits for nothing.
 */
export async function openExchange<Seen>(
  session: Session,
  { request, settle }: FitExchange<ExchangeParts>,
  isInOrder: boolean,
  look: () => Seen | undefined,
): Promise<Opened<Seen> | typeof IN_ORDER> {
  const { tx, sql, schema } = session;
  const holder = holderOf(request);
  const leaseMs = finite(request.leaseMs);
  const items = settle.filter((item) => item !== undefined);
  const plain = isInOrder ? [] : plainOnes(items);
  const isAllPlain = plain.length === items.length;
  // What is settled in the same call is renewed after it, by the state machine.
  const settledIds = new Set(items.map(({ id }) => id));
  const renewals = isInOrder ? [] : request.renew.filter(({ id }) => !settledIds.has(id));

  const sent: Promise<unknown>[] = [
    tx.query(sql.lockRunner, [lockNumber("runners", schema), lockNumber(request.runner)]),
  ];
  const state = tx.query(sql.begin, [request.runner]);
  const succeeded = plain.length > 0 ? succeed(session, plain) : [];
  const renewed = renewals.length > 0 ? renewHeld(session, renewals, leaseMs) : [];
  if (!isInOrder) sent.push(release(session, request));
  let seen = isInOrder || !isAllPlain ? undefined : look();
  for (const promise of [succeeded, renewed]) if (promise instanceof Promise) promise.catch(() => {});
  for (const promise of sent) promise.catch(() => {});

  const [row] = (await state) as readonly SqlRow[];
  const [nowMs, dueIn, hasOrphans, ...runner] = row as unknown as [number, number | null, boolean, ...SqlRow];
  const begun = beginSequence(request, runner[0] === null ? undefined : toKnownRunner(runner));
  const goesBack = begun.replaced !== undefined || begun.unacknowledged.length > 0;
  const touched: Touched[] = [];
  if (goesBack) {
    if (!isInOrder) return IN_ORDER;
    touched.push(...(await takeBack(session, begun, holder, nowMs)));
  }
  await Promise.all(sent);

  const outcomes = { settled: [] as ExchangeOutcome[], renewed: [] as ExchangeOutcome[] };
  const rest = leftOver({ request, settle }, await succeeded, await renewed, outcomes, leaseMs);
  if (rest.settle.length + rest.renew.length > 0) {
    touched.push(...(await settleRest(session, rest, nowMs, outcomes)));
    seen = undefined;
  }
  if (isInOrder) await release(session, request);

  const mayReturn = goesBack || rest.settle.length > 0;
  const recovered =
    (hasOrphans || mayReturn) && !begun.repeated ? await recoverSome(session, request, holder, nowMs) : [];
  return { ...outcomes, begun, nowMs, recovered, dueIn: dueIn ?? undefined, mayReturn, touched, seen };
}

/** Notes the outcomes that are known by now; gives the items that the state machine must see. */
export function leftOver(
  { request, settle }: FitExchange<ExchangeParts>,
  succeeded: readonly SqlRow[],
  renewed: readonly SqlRow[],
  outcomes: { readonly settled: ExchangeOutcome[]; readonly renewed: ExchangeOutcome[] },
  leaseMs: number,
): Rest {
  const done = new Set(succeeded.map(([id]) => id as string));
  const kept = new Map(renewed.map(([id, attempt, cancel]) => [`${id}.${attempt}`, cancel]));
  const rest = {
    settle: [] as { index: number; item: Settlement }[],
    renew: [] as Rest["renew"][number][],
    leaseMs,
  };
  settle.forEach((item, index) => {
    if (item === undefined) return;
    if (item.kind === "succeeded" && done.has(item.id)) outcomes.settled[index] = { outcome: "accepted" };
    else rest.settle.push({ index, item });
  });
  request.renew.forEach((item, index) => {
    const cancel = kept.get(`${item.id}.${item.attempt}`);
    if (cancel === undefined) rest.renew.push({ index, item });
    else outcomes.renewed[index] = { outcome: cancel === null ? "accepted" : "cancel_requested" };
  });
  return rest;
}

/** Takes back what an earlier incarnation holds, and grants whose reply was never seen, as if they had never begun. */
async function takeBack(
  session: Session,
  begun: Begun,
  holder: string,
  nowMs: number,
): Promise<readonly TaskChange[]> {
  const { tx, sql, random } = session;
  const changes: TaskChange[] = [];
  if (begun.replaced !== undefined) {
    const held = (await tx.query(sql.heldBy, [begun.replaced])).map(toStored);
    held.sort((a, b) => (a.task.leaseExpiresAtMs ?? 0) - (b.task.leaseExpiresAtMs ?? 0));
    for (const before of held) changes.push({ before, after: expire(before.task, nowMs, random) });
  }
  const found = await lockTasks(
    session,
    begun.unacknowledged.map(({ id }) => id),
  );
  const released: [string, string, number][] = [];
  for (const { id, attempt, kind } of begun.unacknowledged) {
    const before = found.get(id);
    if (before === undefined || before.task.attempt !== attempt || before.task.holder !== holder) continue;
    changes.push({ before, after: unbegin(before.task, nowMs) });
    const { server } = before.task;
    if (kind === "run" && server !== undefined) released.push([server, id, attempt]);
  }
  await writeTasks(session, changes, nowMs);
  await dropHolds(session, released);
  return changes;
}

export async function release({ tx, sql }: Session, request: ExchangeParts): Promise<void> {
  if (request.release.length === 0) return;
  await tx.query(sql.release, [
    request.release.map(({ server }) => server),
    request.release.map(({ id }) => id),
    request.release.map(({ attempt }) => attempt),
  ]);
}

async function recoverSome(
  session: Session,
  request: ExchangeParts,
  holder: string,
  nowMs: number,
): Promise<Grant[]> {
  if (request.recover <= 0) return [];
  const limit = Math.min(finite(request.recover), 10_000);
  const found = (await session.tx.query(session.sql.toRecover, [limit])).map(toStored);
  const leaseMs = finite(request.leaseMs);
  const changes = found.map((before) => ({
    before,
    after: recover(before.task, { holder, leaseMs }, nowMs),
  }));
  await writeTasks(session, changes, nowMs);
  return await withPayloads(
    session,
    changes.map(({ before, after }) => ({ kind: "recover", seq: before.seq, task: after })),
  );
}

/** What was granted under a sequence before and is still held. */
export async function sameGrants(
  session: Session,
  grants: readonly LoggedGrant[],
  holder: string,
): Promise<Grant[]> {
  const found = await lockTasks(
    session,
    grants.map(({ id }) => id),
  );
  const same = grants.flatMap(({ id, attempt, kind }) => {
    const stored = found.get(id);
    if (stored === undefined || stored.task.attempt !== attempt || stored.task.holder !== holder) return [];
    return [{ kind, seq: stored.seq, task: stored.task }];
  });
  return await withPayloads(session, same);
}
