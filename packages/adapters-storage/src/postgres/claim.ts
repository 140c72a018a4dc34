import type { Claim, ClaimOutcome, ClaimRequest, Grant } from "@modelgate/core";
import { holderOf } from "@modelgate/core/adapter";
import { finite } from "../rows/finite.ts";
import type { SqlRow } from "../rows/task-row.ts";
import { lockServers, toGrant } from "./grants.ts";
import { lockNumber } from "./lock-number.ts";
import { sameGrants } from "./open-exchange.ts";
import type { Session } from "./session.ts";

/** A call of `claim`, whose texts can be stored. */
export interface ClaimCall {
  readonly request: Omit<ClaimRequest, "claims">;
  /** Its own name for what it is granted, by which a repetition after a lost answer knows it again. */
  readonly mark: string;
  /** Throws unless the runner's sequence that was found is the one of this call. */
  readonly require: (incarnation: string | null, sequence: number | null) => void;
}

/** Where one task goes. */
interface Placed {
  readonly id: string;
  readonly server: string;
  readonly instance?: string | undefined;
  readonly limit: number;
  /** Whether there is another server to be looked at. */
  readonly others: boolean;
}

/** Takes any number: somebody has counted already. */
const NO_LIMIT = 2 ** 31;

/** Whether the claims may be decided all at once: each task is named once, and each server has one limit. */
export function isSimple(claims: readonly Claim[]): boolean {
  const ids = new Set<string>();
  const limits = new Map<string, number>();
  return claims.every(({ id, servers: [first] }) => {
    if (first === undefined || ids.has(id)) return false;
    ids.add(id);
    const limit = limits.get(first.server) ?? first.limit;
    limits.set(first.server, limit);
    return limit === first.limit;
  });
}

/** Claims in one trip. `undefined` of those that must be looked at step by step. */
export async function claimAtOnce(
  session: Session,
  call: ClaimCall,
  claims: readonly Claim[],
): Promise<(ClaimOutcome | undefined)[]> {
  const { tx, sql } = session;
  const placed = claims.flatMap(({ id, servers: [first, ...others] }): Placed[] => {
    return first === undefined ? [] : [{ id, ...first, others: others.length > 0 }];
  });
  lockRunner(session, call);
  const opened = tx.query(sql.openSequence, [call.request.runner]);
  lockServers(session, [...new Set(placed.map(({ server }) => server))]);
  const claimed = grantPlaced(session, call, placed);
  const committed = tx.commit();
  const nowMs = requireOpen(call, (await opened)[0]);
  const rows = await claimed;
  await committed;
  const outcomes: (ClaimOutcome | undefined)[] = claims.map(() => undefined);
  for (const [n, wait, fits, isLocked, ...granted] of rows) {
    const at = (n as number) - 1;
    if (granted[0] !== null)
      outcomes[at] = { outcome: "granted", grant: grantOf(call, granted as SqlRow, nowMs) };
    else if (wait === null) outcomes[at] = (isLocked as unknown) === true ? undefined : { outcome: "gone" };
    else if ((wait as number) > 0) outcomes[at] = { outcome: "not_yet", delayMs: wait as number };
    else if ((fits as unknown) !== true && placed[at]?.others === false) outcomes[at] = { outcome: "full" };
  }
  return outcomes;
}

/** Claims one after another, in one transaction; waits for whoever else is changing the tasks. */
export async function claimInOrder(
  session: Session,
  call: ClaimCall,
  claims: readonly Claim[],
): Promise<ClaimOutcome[]> {
  const { tx, sql } = session;
  const servers = [...new Set(claims.flatMap((claim) => claim.servers.map(({ server }) => server)))];
  lockRunner(session, call);
  const opened = tx.query(sql.begin, [call.request.runner]);
  // Tasks before servers: whoever has servers locked waits for no task.
  const locked = tx.query(sql.lockWaiting, [claims.map(({ id }) => id)]);
  lockServers(session, servers);
  const [inUse, holds] = [tx.query(sql.used, [servers]), tx.query(sql.holds, [servers])];

  const [nowMs, , , incarnation, sequence, log] = (await opened)[0] as SqlRow;
  requireOpen(call, [nowMs as number, incarnation as string | null, sequence as number | null]);
  const earlier = await grantedBefore(session, call, log as string);
  const waiting = new Map((await locked).map((row) => [row[0] as string, row]));
  const used = new Map((await inUse).map(([server, count]) => [server as string, count as number]));
  const held = new Set((await holds).map(([server]) => server as string));

  const placed: Placed[] = [];
  const outcomes = claims.map(({ id, servers: targets }): ClaimOutcome | "placed" => {
    const grant = earlier.get(id);
    const [, background, wait] = waiting.get(id) ?? [];
    earlier.delete(id);
    if (grant !== undefined) return { outcome: "granted", grant };
    if (wait === undefined) return { outcome: "gone" };
    if ((wait as number) > 0) return { outcome: "not_yet", delayMs: wait as number };
    const target = targets.find(({ server, limit }) => {
      return background === 1 ? !held.has(server) : (used.get(server) ?? 0) < limit;
    });
    if (target === undefined) return { outcome: "full" };
    if (background === 1) held.add(target.server);
    else used.set(target.server, (used.get(target.server) ?? 0) + 1);
    waiting.delete(id);
    placed.push({ ...target, id, limit: NO_LIMIT, others: false });
    return "placed";
  });
  const claimed = grantPlaced(session, call, placed);
  await tx.commit();
  const grants = new Map<string, Grant>();
  for (const [, , , , ...granted] of await claimed)
    if (granted[0] !== null) grants.set(granted[1] as string, grantOf(call, granted, nowMs as number));
  return outcomes.map((outcome, at): ClaimOutcome => {
    if (outcome !== "placed") return outcome;
    const grant = grants.get(claims[at]?.id ?? "");
    return grant === undefined ? { outcome: "full" } : { outcome: "granted", grant };
  });
}

function lockRunner({ tx, sql, schema }: Session, { request }: ClaimCall): void {
  void tx.query(sql.lockRunner, [lockNumber("runners", schema), lockNumber(request.runner)]);
}

function requireOpen(call: ClaimCall, row: SqlRow | undefined): number {
  const [nowMs, incarnation, sequence] = row as SqlRow;
  call.require(incarnation as string | null, sequence as number | null);
  return nowMs as number;
}

function grantPlaced(
  { tx, sql }: Session,
  { request, mark }: ClaimCall,
  placed: readonly Placed[],
): Promise<SqlRow[]> {
  const { runner, incarnation, sequence, leaseMs } = request;
  return tx.query(sql.claim, [
    placed.map(({ id }) => id),
    placed.map(({ server }) => server),
    placed.map(({ instance }) => instance ?? null),
    placed.map(({ limit }) => finite(limit)),
    placed.map(({ others }) => others),
    runner,
    incarnation,
    sequence,
    [...new Set(placed.map(({ server }) => server))],
    holderOf(request),
    finite(leaseMs),
    mark,
  ]);
}

function grantOf({ request }: ClaimCall, row: SqlRow, nowMs: number): Grant {
  return toGrant(row, holderOf(request), nowMs + finite(request.leaseMs));
}

/** What an earlier try of this same call was granted, whose answer was lost. */
async function grantedBefore(
  session: Session,
  { request, mark }: ClaimCall,
  log: string,
): Promise<Map<string, Grant>> {
  const items = JSON.parse(log) as readonly (readonly [string, number, 0 | 1, string?])[];
  const own = items.filter(([, , , by]) => by === mark);
  if (own.length === 0) return new Map();
  const logged = own.map(([id, attempt]) => ({ id, attempt, kind: "run" as const }));
  const grants = await sameGrants(session, logged, holderOf(request));
  return new Map(grants.map((grant) => [grant.task.id, grant]));
}
