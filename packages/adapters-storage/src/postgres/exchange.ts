import type { ExchangeOutcome, ExchangeReply, ExchangeRequest, Grant, Settlement } from "@modelgate/core";
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
import { toGrantItem, toKnownRunner } from "../rows/runner-row.ts";
import type { SqlRow } from "../rows/task-row.ts";
import { look, orphanHolds, plan, toGrant, withPayloads } from "./grants.ts";
import { lockNumber } from "./lock-number.ts";
import type { Session } from "./session.ts";
import { dropHolds, plainOnes, type Rest, renewHeld, settleRest, succeed } from "./settle.ts";
import { lockTasks, type TaskChange, toStored, writeTasks } from "./task-rows.ts";

/** An exchange whose items were checked; `undefined` is one that was refused. */
export interface FitExchange {
  readonly request: ExchangeRequest;
  readonly settle: readonly (Settlement | undefined)[];
}

/** Told when grants must go back before anything else is done, which the quick way has already begun to do. */
export const IN_ORDER: unique symbol = Symbol("in order");

/**
 * Settles, renews, releases, recovers and grants, in one transaction; does what the ledger in memory does, in the same
 * order. All that needs no answer is sent at once, so that most exchanges are two trips: one that settles, locks and
 * reads, and one that grants and commits.
 *
 * @param isInOrder waits for each step; for a call before which grants go back, and to find the item that fails.
 */
export async function exchange(
  session: Session,
  { request, settle }: FitExchange,
  isInOrder: boolean,
): Promise<ExchangeReply | typeof IN_ORDER> {
  const { tx, sql, schema } = session;
  const holder = holderOf(request);
  const leaseMs = finite(request.leaseMs);
  const items = settle.filter((item) => item !== undefined);
  const plain = isInOrder ? [] : plainOnes(items);
  const isAllPlain = plain.length === items.length;
  // What is settled in the same call is renewed after it, by the state machine.
  const settled = new Set(items.map(({ id }) => id));
  const renewals = isInOrder ? [] : request.renew.filter(({ id }) => !settled.has(id));

  const sent: Promise<unknown>[] = [
    tx.query(sql.lockRunner, [lockNumber("runners", schema), lockNumber(request.runner)]),
  ];
  const state = tx.query(sql.begin, [request.runner]);
  const succeeded = plain.length > 0 ? succeed(session, plain) : [];
  const renewed = renewals.length > 0 ? renewHeld(session, renewals, leaseMs) : [];
  if (!isInOrder) sent.push(release(session, request));
  let seen = isInOrder || !isAllPlain ? undefined : look(session, request);
  for (const promise of [succeeded, renewed]) if (promise instanceof Promise) promise.catch(() => {});
  for (const promise of sent) promise.catch(() => {});

  const [row] = (await state) as readonly SqlRow[];
  const [nowMs, dueIn, hasOrphans, ...runner] = row as unknown as [number, number | null, boolean, ...SqlRow];
  const begun = beginSequence(request, runner[0] === null ? undefined : toKnownRunner(runner));
  const goesBack = begun.replaced !== undefined || begun.unacknowledged.length > 0;
  if (goesBack) {
    if (!isInOrder) return IN_ORDER;
    await takeBack(session, begun, holder, nowMs);
  }
  await Promise.all(sent);

  const outcomes = { settled: [] as ExchangeOutcome[], renewed: [] as ExchangeOutcome[] };
  const rest = leftOver({ request, settle }, await succeeded, await renewed, outcomes, leaseMs);
  if (rest.settle.length + rest.renew.length > 0) {
    await settleRest(session, rest, nowMs, outcomes);
    seen = undefined;
  }
  if (isInOrder) await release(session, request);

  const mayRecover = hasOrphans || goesBack || rest.settle.length > 0;
  const recovered = mayRecover && !begun.repeated ? await recoverSome(session, request, holder, nowMs) : [];
  let nextDueInMs =
    goesBack || rest.settle.length > 0 ? await dueAfter(session, request) : (dueIn ?? undefined);
  if (nextDueInMs !== undefined && nextDueInMs <= 0) {
    await tx.query(sql.promote, [null]);
    nextDueInMs = await dueAfter(session, request);
    seen = undefined;
  }
  seen ??= look(session, request);
  const orphans = await orphanHolds(request, seen);

  let grants: Grant[];
  if (begun.repeated) {
    grants = await sameGrants(session, begun.grants, holder);
    await tx.commit();
  } else {
    const planned = seen === undefined ? [] : await plan(request, seen);
    const hasWritten =
      items.length + request.renew.length + request.release.length + recovered.length + planned.length > 0;
    // That an exchange took place in which nothing happened may be forgotten by a crash, so that it costs no write.
    if (!hasWritten && !goesBack)
      void quietly(tx.query({ name: "", text: "SET LOCAL synchronous_commit = off" }));
    const logged = recovered.map(({ kind, task }) =>
      toGrantItem({ kind, id: task.id, attempt: task.attempt }),
    );
    const granted = tx.query(sql.grant, [
      planned.map(({ id }) => id),
      planned.map(({ want }) => want.server),
      planned.map(({ want }) => want.instance ?? null),
      holder,
      leaseMs,
      request.runner,
      request.incarnation,
      request.sequence,
      JSON.stringify(logged),
      JSON.stringify(begun.retired),
    ]);
    const committed = quietly(tx.commit());
    const found = new Map((await granted).map((each) => [each[1] as string, each]));
    await committed;
    grants = [...recovered];
    for (const { id } of planned) {
      const each = found.get(id);
      if (each !== undefined) grants.push(toGrant(each, holder, nowMs + leaseMs));
    }
    // Somebody else was granting the same tasks, on other servers: what is behind them is there in a moment.
    if (found.size < planned.length) nextDueInMs = 1;
  }
  return {
    sequence: request.sequence,
    nowMs,
    settled: outcomes.settled,
    renewed: outcomes.renewed,
    grants,
    orphanHolds: orphans,
    nextDueInMs,
  };
}

function quietly<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/** Notes the outcomes that are known by now; gives the items that the state machine must see. */
function leftOver(
  { request, settle }: FitExchange,
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
async function takeBack(session: Session, begun: Begun, holder: string, nowMs: number): Promise<void> {
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
}

async function release({ tx, sql }: Session, request: ExchangeRequest): Promise<void> {
  if (request.release.length === 0) return;
  await tx.query(sql.release, [
    request.release.map(({ server }) => server),
    request.release.map(({ id }) => id),
    request.release.map(({ attempt }) => attempt),
  ]);
}

async function recoverSome(
  session: Session,
  request: ExchangeRequest,
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

async function dueAfter({ tx, sql }: Session, request: ExchangeRequest): Promise<number | undefined> {
  const [row] = await tx.query(sql.begin, [request.runner]);
  return (row?.[1] as number | null | undefined) ?? undefined;
}

async function sameGrants(
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
