import type { ExchangeRequest, Grant, OrphanHold, ServerWant, TaskRecord } from "@modelgate/core";
import {
  compareRank,
  type PlannedGrant,
  planGrants,
  type ServerRoom,
  type WaitingTask,
} from "@modelgate/core/adapter";
import { type SqlRow, type SqlValue, toRecord } from "../rows/task-row.ts";
import { lockNumber } from "./lock-number.ts";
import type { Session } from "./session.ts";

/** What is taken of the wanted servers, and what waits for them, as it is while their locks are held. */
export interface Look {
  readonly used: Promise<SqlRow[]>;
  readonly holds: Promise<SqlRow[]>;
  readonly waiting: Promise<SqlRow[]>;
}

/** Locks are few, whatever the number of servers: the server keeps room for some thousands. */
const BUCKETS = 64;

/** Lanes up to this number are read each on its own; of more, first the heads. */
const FEW_LANES = 4;

/** Keeps everybody else from granting on these servers until the transaction ends. Waits for nothing. */
export function lockServers({ tx, sql, schema }: Session, servers: readonly string[]): void {
  const buckets = [...new Set(servers.map((server) => lockNumber(server) & (BUCKETS - 1)))].sort(
    (a, b) => a - b,
  );
  void tx.query(sql.lockServers, [lockNumber("servers", schema), buckets]);
}

/** Locks the wanted servers and reads. Waits for nothing. */
export function look(session: Session, { want }: ExchangeRequest): Look | undefined {
  if (want.length === 0) return undefined;
  const { tx, sql } = session;
  const servers = [...new Set(want.map(({ server }) => server))];
  lockServers(session, servers);
  const lanes = lanesOf(want);
  const columns = [
    lanes.map(({ model }) => model),
    lanes.map(({ background }) => background),
    lanes.map(({ take }) => take),
  ];
  const waiting =
    lanes.length === 0
      ? Promise.resolve([])
      : lanes.length <= FEW_LANES
        ? tx.query(sql.fewLanes, columns)
        : tx.query(sql.manyLanes, [...columns, lanes.map(({ part }) => part)]);
  const used = tx.query(sql.used, [servers]);
  const holds = tx.query(sql.holds, [servers]);
  for (const promise of [waiting, used, holds]) promise.catch(() => {});
  return { used, holds, waiting };
}

interface WantedLane {
  readonly model: string;
  readonly background: 0 | 1;
  /** At most so many of it can be granted. */
  readonly take: number;
  /** Lanes of one part go to the same servers. */
  readonly part: number;
}

/** The lanes that a plan may open, were all of the servers free. */
function lanesOf(want: readonly ServerWant[]): WantedLane[] {
  const lanes: WantedLane[] = [];
  let part = 0;
  const free = want.map((item): ServerRoom => ({ want: item, used: 0, held: false }));
  planGrants(free, (models, background) => {
    const set = new Set(models);
    const serving = want.filter((item) => item.models.some((model) => set.has(model)));
    const take = background
      ? serving.filter((item) => item.background).length
      : serving.reduce((sum, { max, limit }) => sum + Math.max(0, Math.min(max, limit)), 0);
    for (const model of set)
      lanes.push({ model, background: background ? 1 : 0, take: Math.min(take, 10_000), part });
    part += 1;
    return { next: () => undefined };
  });
  return lanes;
}

/** Which of the waiting tasks go where. */
export async function plan(request: ExchangeRequest, seen: Look): Promise<PlannedGrant[]> {
  const used = new Map((await seen.used).map(([server, count]) => [server as string, count as number]));
  const held = new Set((await seen.holds).map(([server]) => server as string));
  const rows = await seen.waiting;
  if (rows.length === 0) return [];
  const lanes = new Map<string, WaitingTask[]>();
  for (const [id, rank, model, background] of rows) {
    const key = `${background}${model}`;
    const lane = lanes.get(key);
    const task = { id: id as string, rank: rank as number, model: model as string };
    if (lane === undefined) lanes.set(key, [task]);
    else lane.push(task);
  }
  const rooms = request.want.map((want): ServerRoom => {
    return { want, used: used.get(want.server) ?? 0, held: held.has(want.server) };
  });
  const inBackground = new Set<string>();
  const planned = planGrants(rooms, (models, background) => {
    const tasks = models
      .flatMap((model) => lanes.get(`${background ? 1 : 0}${model}`) ?? [])
      .sort(compareRank);
    let at = 0;
    return {
      next: () => {
        const task = tasks[at];
        at += 1;
        if (background && task !== undefined) inBackground.add(task.id);
        return task;
      },
    };
  });
  // Two wants may name one server, of which each was reckoned by itself.
  return planned.filter(({ id, want }) => {
    const { server, limit } = want;
    if (inBackground.has(id)) return !held.has(server) && held.add(server) !== undefined;
    const taken = used.get(server) ?? 0;
    if (taken >= limit) return false;
    used.set(server, taken + 1);
    return true;
  });
}

/** A task as `grant` gives it back. Written out by place: it is the busiest row of all. */
export function toGrant(row: SqlRow, holder: string, leaseAtMs: number): Grant {
  const [
    seq,
    id,
    model,
    background,
    rank,
    attempt,
    server,
    instance,
    started,
    cancel,
    priority,
    failures,
    lost,
    ...rest
  ] = row as SqlValue[];
  const [error, created, deadline, operation, owner, payloadBytes, identity, bytes] = rest;
  const values = [
    seq,
    id,
    model,
    background,
    rank,
    1,
    attempt,
    holder,
    leaseAtMs,
    server,
    instance,
    null,
    null,
    0,
    null,
    started,
  ];
  values.push(
    null,
    cancel,
    null,
    priority,
    failures,
    lost,
    error,
    null,
    created,
    deadline,
    operation,
    owner,
    payloadBytes,
  );
  values.push(identity, null);
  const task = toRecord(values as SqlRow, (bytes as Uint8Array | null) ?? undefined);
  return { kind: "run", attempt: task.attempt, server: task.server ?? "", task };
}

/** Grants of rows that were read, with the bytes of their payloads. */
export async function withPayloads(
  { tx, sql }: Session,
  grants: readonly { readonly kind: Grant["kind"]; readonly seq: string; readonly task: TaskRecord }[],
): Promise<Grant[]> {
  if (grants.length === 0) return [];
  const rows = await tx.query(sql.payloads, [grants.map(({ seq }) => seq)]);
  const bytes = new Map(rows.map(([seq, inline]) => [seq as string, inline as Uint8Array]));
  return grants.map(({ kind, seq, task }) => {
    const inline = bytes.get(seq);
    return {
      kind,
      attempt: task.attempt,
      server: task.server ?? "",
      task: inline === undefined ? task : { ...task, payload: { ...task.payload, inline } },
    };
  });
}

/** Of the holds that were read, those that nobody looks after, in the order of the servers. */
export function orphanHolds(servers: readonly string[], rows: readonly SqlRow[]): OrphanHold[] {
  const holds = new Map(rows.map((row) => [row[0] as string, row]));
  return servers.flatMap((server) => {
    const [, id, attempt, instance, isOrphan] = holds.get(server) ?? [];
    if (!isOrphan) return [];
    const hold = { server, id: id as string, attempt: attempt as number };
    return [{ ...hold, instance: (instance as string | null) ?? undefined }];
  });
}
