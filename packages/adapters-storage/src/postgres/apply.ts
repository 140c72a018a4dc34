import type { ApplyReply, ApplyRequest, ExchangeOutcome, Settlement, TaskRecord } from "@modelgate/core";
import { holderOf } from "@modelgate/core/adapter";
import { finite } from "../rows/finite.ts";
import { toGrantItem } from "../rows/runner-row.ts";
import type { SqlRow } from "../rows/task-row.ts";
import { orphanHolds } from "./grants.ts";
import { lockNumber } from "./lock-number.ts";
import {
  type FitExchange,
  IN_ORDER,
  leftOver,
  type Opened,
  openExchange,
  release,
  sameGrants,
} from "./open-exchange.ts";
import { FORGETTABLE, type Session } from "./session.ts";
import { plainOnes, renewHeld, succeed } from "./settle.ts";

/** What is taken of the servers that are asked for. No lock is held: it is a hint of what a claim will find. */
interface Load {
  readonly used: Promise<SqlRow[]>;
  readonly holds: Promise<SqlRow[]>;
}

/** An exchange without new work, which also tells the load of the servers and what waits again. */
export async function apply(
  session: Session,
  fit: FitExchange<ApplyRequest>,
  isInOrder: boolean,
): Promise<ApplyReply | typeof IN_ORDER> {
  const { tx, sql } = session;
  const { request } = fit;
  const opened = await openExchange(session, fit, isInOrder, () => readLoad(session, request));
  if (opened === IN_ORDER) return IN_ORDER;
  const { begun, nowMs, settled, renewed, recovered } = opened;
  const { repeated } = begun;
  const load = opened.seen ?? readLoad(session, request);
  if (!repeated) {
    const logged = recovered.map(({ kind, task }) =>
      toGrantItem({ kind, id: task.id, attempt: task.attempt }),
    );
    const { runner, incarnation, sequence } = request;
    const values = [runner, incarnation, sequence, JSON.stringify(logged), JSON.stringify(begun.retired)];
    void tx.query(sql.saveRunner, values);
  }
  const grants = repeated ? await sameGrants(session, begun.grants, holderOf(request)) : recovered;
  const committed = tx.commit();
  const told = await tell(request, load);
  await committed;
  return { nowMs, settled, renewed, grants, repeated, returned: returnedBy(request, opened), ...told };
}

/** What waits again because of this call. */
function returnedBy({ settle }: ApplyRequest, { begun, touched }: Opened<unknown>): TaskRecord[] {
  const now = new Map(touched.map(({ after }) => [after.id, after]));
  const came = new Set<string>();
  for (const { before, after } of touched)
    if (before.task.state !== "pending" && after.state === "pending") came.add(after.id);
  // Whoever repeats did not see the reply: what it handed back may not have reached the queue.
  for (const { id, kind, attempt } of begun.repeated ? settle : [])
    if ((kind === "returned" || kind === "abandoned") && now.get(id)?.attempt === attempt) came.add(id);
  return [...came].flatMap((id) => {
    const task = now.get(id);
    return task?.state === "pending" ? [task] : [];
  });
}

/**
 * The same in one trip, for the next sequence of a runner that reports successes only, when nothing goes back and
 * nothing is to be recovered. Otherwise it fails as for an item that cannot be written, and nothing is done; which costs
 * the connection, so that it is to be tried only when it should succeed. `isWhole` is false when items are left for the
 * state machine; all else is done.
 */
export async function applyAtOnce(
  session: Session,
  { request, settle }: FitExchange<ApplyRequest>,
): Promise<{ readonly reply: ApplyReply; readonly isWhole: boolean }> {
  const { tx, sql, schema } = session;
  const leaseMs = finite(request.leaseMs);
  const items = settle.filter((item) => item !== undefined);
  const settledIds = new Set(items.map(({ id }) => id));
  const renewals = request.renew.filter(({ id }) => !settledIds.has(id));
  void tx.query(sql.lockRunner, [lockNumber("runners", schema), lockNumber(request.runner)]);
  const { runner, incarnation, sequence, acknowledged } = request;
  const advanced = tx.query(sql.advance, [runner, incarnation, sequence, acknowledged, request.recover > 0]);
  const succeeded = items.length > 0 ? succeed(session, plainOnes(items)) : [];
  const renewed = renewals.length > 0 ? renewHeld(session, renewals, leaseMs) : [];
  void release(session, request).catch(() => {});
  const load = readLoad(session, request);
  // That an exchange took place in which nothing happened may be forgotten by a crash, so that it costs no write.
  const hasWritten = items.length + renewals.length + request.release.length > 0;
  if (!hasWritten) void tx.query(FORGETTABLE);
  const committed = tx.commit();
  const nowMs = (await advanced)[0]?.[0] as number;
  const outcomes = { settled: [] as ExchangeOutcome[], renewed: [] as ExchangeOutcome[] };
  const rest = leftOver({ request, settle }, await succeeded, await renewed, outcomes, leaseMs);
  const told = await tell(request, load);
  await committed;
  return {
    reply: { nowMs, ...outcomes, grants: [], repeated: false, returned: [], ...told },
    isWhole: rest.settle.length + rest.renew.length === 0,
  };
}

/** Whether each item is a success, of each task one. */
export function isAllPlain(items: readonly (Settlement | undefined)[]): boolean {
  const given = items.filter((item) => item !== undefined);
  return plainOnes(given).length === given.length;
}

function readLoad({ tx, sql }: Session, { servers }: ApplyRequest): Load {
  const none = Promise.resolve([]);
  if (servers.length === 0) return { used: none, holds: none };
  return { used: tx.query(sql.used, [servers]), holds: tx.query(sql.holds, [servers]) };
}

async function tell(
  { servers }: ApplyRequest,
  load: Load,
): Promise<Pick<ApplyReply, "orphanHolds" | "used" | "held">> {
  const used = new Map((await load.used).map(([server, count]) => [server as string, count as number]));
  const holds = await load.holds;
  const held = new Set(holds.map(([server]) => server as string));
  return {
    orphanHolds: orphanHolds(servers, holds),
    used: Object.fromEntries(servers.map((server) => [server, used.get(server) ?? 0])),
    held: servers.filter((server) => held.has(server)),
  };
}
