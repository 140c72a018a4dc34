import type { ExchangeReply, ExchangeRequest, Grant } from "@modelgate/core";
import { holderOf } from "@modelgate/core/adapter";
import { finite } from "../rows/finite.ts";
import { toGrantItem } from "../rows/runner-row.ts";
import { look, orphanHolds, plan, toGrant } from "./grants.ts";
import { type FitExchange, IN_ORDER, openExchange, sameGrants } from "./open-exchange.ts";
import { FORGETTABLE, type Session } from "./session.ts";

/**
 * Settles, renews, releases, recovers and grants, in one transaction. Most exchanges are two trips: one that settles,
 * locks and reads, and one that grants and commits.
 *
 * @param isInOrder waits for each step; for a call before which grants go back, and to find the item that fails.
 */
export async function exchange(
  session: Session,
  fit: FitExchange<ExchangeRequest>,
  isInOrder: boolean,
): Promise<ExchangeReply | typeof IN_ORDER> {
  const { tx, sql } = session;
  const { request } = fit;
  const holder = holderOf(request);
  const leaseMs = finite(request.leaseMs);
  const opened = await openExchange(session, fit, isInOrder, () => look(session, request));
  if (opened === IN_ORDER) return IN_ORDER;
  const { begun, nowMs, recovered, mayReturn } = opened;
  let { seen } = opened;
  let nextDueInMs = mayReturn ? await dueAfter(session, request) : opened.dueIn;
  if (nextDueInMs !== undefined && nextDueInMs <= 0) {
    await tx.query(sql.promote, [null]);
    nextDueInMs = await dueAfter(session, request);
    seen = undefined;
  }
  seen ??= look(session, request);
  const servers = request.want.map(({ server }) => server);
  const orphans = seen === undefined ? [] : orphanHolds(servers, await seen.holds);

  let grants: Grant[];
  if (begun.repeated) {
    grants = await sameGrants(session, begun.grants, holder);
    await tx.commit();
  } else {
    const planned = seen === undefined ? [] : await plan(request, seen);
    const items = fit.settle.filter((item) => item !== undefined);
    const hasWritten =
      items.length + request.renew.length + request.release.length + recovered.length + planned.length > 0;
    // That an exchange took place in which nothing happened may be forgotten by a crash, so that it costs no write.
    if (!hasWritten && !mayReturn) void tx.query(FORGETTABLE);
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
    const committed = tx.commit();
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
    settled: opened.settled,
    renewed: opened.renewed,
    grants,
    orphanHolds: orphans,
    nextDueInMs,
  };
}

async function dueAfter({ tx, sql }: Session, request: ExchangeRequest): Promise<number | undefined> {
  const [row] = await tx.query(sql.begin, [request.runner]);
  return (row?.[1] as number | null | undefined) ?? undefined;
}
