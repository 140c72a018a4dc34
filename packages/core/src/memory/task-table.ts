import type { Clock } from "../contracts/clock.ts";
import type {
  Amendment,
  AmendOutcome,
  ExchangeOutcome,
  ExchangeRequest,
  Grant,
  NewTask,
  SubmitOutcome,
  SweepReply,
  SweepRequest,
} from "../contracts/ledger.ts";
import type { TaskError, TaskRecord } from "../contracts/task.ts";
import { rankOf } from "../scheduler/rank.ts";
import { holderOf, type LoggedGrant } from "../tasks/begin-sequence.ts";
import { laneEndings, WAITED_TOO_LONG } from "../tasks/ledger-endings.ts";
import * as state from "../tasks/task-state.ts";
import { idempotencyMismatch, idTaken, refusalOf } from "../tasks/validate-task.ts";
import { IdempotencyKeys } from "./idempotency-keys.ts";
import { RunnerLog } from "./runner-log.ts";
import { type Row, type RowListener, TaskRows, withInline } from "./task-rows.ts";

/** Everything of an exchange that needs no order. */
export type TableExchange = Omit<ExchangeRequest, "want">;

/** What a slot is taken for. */
export interface SlotTarget {
  readonly server: string;
  readonly instance?: string | undefined;
  readonly limit: number;
}

export interface Applied {
  readonly settled: readonly ExchangeOutcome[];
  readonly renewed: readonly ExchangeOutcome[];
  readonly grants: readonly Grant[];
  readonly repeated: boolean;
}

/**
 * The rules of the ledger over rows in memory: what a transaction would do, done at once. Order is somebody else's:
 * the native ledger adds an index of lanes, the task store leaves it to a queue.
 */
export class TaskTable {
  readonly rows: TaskRows;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #log = new RunnerLog();
  readonly #keys = new IdempotencyKeys();

  constructor(clock: Clock, random: () => number, listener?: RowListener) {
    this.rows = new TaskRows(listener);
    this.#clock = clock;
    this.#random = random;
  }

  insert(batch: readonly NewTask[]): SubmitOutcome[] {
    const nowMs = this.#clock.now();
    return batch.map((task) => this.#insertOne(task, nowMs));
  }

  #insertOne(task: NewTask, nowMs: number): SubmitOutcome {
    const error = refusalOf(task);
    if (error !== undefined) return { outcome: "refused", error };
    const known = this.rows.get(task.id)?.task;
    if (known !== undefined) {
      if (known.model === task.model && known.operation === task.operation && known.owner === task.owner) {
        return { outcome: "accepted", task: known };
      }
      return { outcome: "refused", error: idTaken() };
    }
    const first = this.#keys.find(task, nowMs);
    if (first !== undefined) return this.#repeated(first);
    this.#keys.remember(task, nowMs);
    const { boostMs, waitMs, payload, idempotency: _, ...identity } = task;
    const { inline, ...payloadRef } = payload;
    const record: TaskRecord = {
      ...identity,
      payload: payloadRef,
      createdAtMs: nowMs,
      deadlineAtMs: nowMs + waitMs,
      state: "pending",
      rank: rankOf(nowMs, task.priority, boostMs),
      attempt: 0,
      failures: 0,
      lostAttempts: 0,
      recovering: false,
    };
    this.rows.insert(record, inline);
    return { outcome: "accepted", task: record };
  }

  #repeated(first: { readonly task: string; readonly isSame: boolean }): SubmitOutcome {
    const task = this.rows.get(first.task)?.task;
    if (first.isSame && task !== undefined) return { outcome: "duplicate", task };
    return { outcome: "refused", error: idempotencyMismatch() };
  }

  /** Settles, renews, releases and hands out recoveries; the rest of the exchange may then add grants. */
  apply(request: TableExchange): Applied {
    const nowMs = this.#clock.now();
    const begun = this.#log.begin(request);
    if (begun.replaced !== undefined) this.#takeBackAll(begun.replaced, nowMs);
    for (const grant of begun.unacknowledged) this.#takeBack(grant, holderOf(request));
    const settled = request.settle.map((item): ExchangeOutcome => {
      const row = this.rows.get(item.id);
      if (row === undefined) return { outcome: "unknown" };
      const { server } = row.task;
      const transition = state.settle(row.task, item, nowMs);
      if (transition.changed !== undefined) this.rows.update(row, transition.changed);
      const releases = "releaseHold" in item && item.releaseHold && transition.changed !== undefined;
      if (releases && server !== undefined) this.rows.release(server, item.id);
      return outcomeOf(transition, row);
    });
    const renewed = request.renew.map((item): ExchangeOutcome => {
      const row = this.rows.get(item.id);
      if (row === undefined) return { outcome: "unknown" };
      const transition = state.renew(row.task, item, request.leaseMs, nowMs);
      if (transition.changed !== undefined) this.rows.update(row, transition.changed);
      return outcomeOf(transition, row);
    });
    for (const { server, id, attempt } of request.release) this.#releaseOrphan(server, id, attempt);
    if (begun.repeated) return { settled, renewed, grants: this.#sameGrants(request), repeated: true };
    return { settled, renewed, grants: this.#recover(request, nowMs), repeated: false };
  }

  /** Compare-and-set from `pending`; `undefined` when the server has no room. The caller checked that it waits. */
  grant(
    request: Omit<TableExchange, "settle" | "renew" | "recover" | "release" | "acknowledged">,
    row: Row,
    target: SlotTarget,
  ): Grant | undefined {
    this.#log.require(request);
    const { task } = row;
    const isFull = task.background
      ? this.rows.holds.has(target.server)
      : this.rows.used(target.server) >= target.limit;
    if (isFull) return undefined;
    const granted = state.grant(
      task,
      { ...target, holder: holderOf(request), leaseMs: request.leaseMs },
      this.#clock.now(),
    );
    this.rows.update(row, granted);
    if (task.background) {
      this.rows.holds.set(target.server, {
        id: task.id,
        attempt: granted.attempt,
        instance: target.instance,
      });
    }
    return this.#logged(request, "run", row);
  }

  /** Whether the sequence is still the open one of its runner. Throws `STALE_RUNNER`. */
  requireOpen(call: {
    readonly runner: string;
    readonly incarnation: string;
    readonly sequence: number;
  }): void {
    this.#log.require(call);
  }

  amend(batch: readonly Amendment[]): AmendOutcome[] {
    const nowMs = this.#clock.now();
    return batch.map((item): AmendOutcome => {
      const row = this.rows.get(item.id);
      if (row === undefined) return { outcome: "unknown" };
      if (item.kind === "cancel") {
        const { outcome, changed } = state.requestCancel(row.task, nowMs);
        if (changed !== undefined) this.rows.update(row, changed);
        return { outcome, task: row.task };
      }
      if (row.task.state !== "pending") return { outcome: "too_late", task: row.task };
      const rank = rankOf(row.task.createdAtMs, item.priority, item.boostMs);
      this.rows.update(row, { ...row.task, priority: item.priority, rank });
      return { outcome: "done", task: row.task };
    });
  }

  sweep(request: SweepRequest): SweepReply {
    const nowMs = this.#clock.now();
    const endings = laneEndings(request);
    const changed: TaskRecord[] = [];
    const unreferencedKeys: string[] = [];
    let room = request.limit;
    for (const id of [...this.rows.held]) {
      const row = this.rows.get(id);
      if (row === undefined || row.task.holder === undefined || (row.task.leaseExpiresAtMs ?? 0) > nowMs)
        continue;
      if (room-- <= 0) break;
      this.rows.update(row, state.expire(row.task, nowMs, this.#random));
      changed.push(row.task);
    }
    for (const id of room > 0 ? [...this.rows.waiting] : []) {
      const row = this.rows.get(id);
      const error = row === undefined ? undefined : endingOf(row.task, endings, nowMs);
      if (row === undefined || error === undefined) continue;
      if (room-- <= 0) break;
      this.rows.update(row, state.endByLedger(row.task, "failed", error, nowMs));
      changed.push(row.task);
    }
    if (request.retention !== undefined)
      room = this.#forget(request.retention, nowMs, room, unreferencedKeys);
    return {
      returned: changed.filter((task) => task.state === "pending"),
      ended: changed.filter((task) => state.isTerminal(task.state)),
      unreferencedKeys,
      more: room <= 0,
    };
  }

  #takeBackAll(holder: string, nowMs: number): void {
    for (const id of [...this.rows.held]) {
      const row = this.rows.get(id);
      if (row?.task.holder === holder) this.rows.update(row, state.expire(row.task, nowMs, this.#random));
    }
  }

  /** A grant whose reply was never seen was never begun: it goes back as it was. */
  #takeBack(grant: LoggedGrant, holder: string): void {
    const row = this.rows.get(grant.id);
    if (row === undefined || row.task.attempt !== grant.attempt || row.task.holder !== holder) return;
    const { server } = row.task;
    this.rows.update(row, state.unbegin(row.task, this.#clock.now()));
    if (grant.kind === "run" && server !== undefined) this.rows.release(server, grant.id, grant.attempt);
  }

  #releaseOrphan(server: string, id: string, attempt: number): void {
    if (!this.rows.isLookedAfter(server, id)) this.rows.release(server, id, attempt);
  }

  #sameGrants(request: TableExchange): Grant[] {
    const holder = holderOf(request);
    return this.#log.grants(request).flatMap(({ id, attempt, kind }) => {
      const row = this.rows.get(id);
      if (row === undefined || row.task.attempt !== attempt || row.task.holder !== holder) return [];
      return [toGrant(kind, row)];
    });
  }

  #recover(request: TableExchange, nowMs: number): Grant[] {
    const grants: Grant[] = [];
    if (request.recover <= 0) return grants;
    for (const id of [...this.rows.held]) {
      if (grants.length >= request.recover) break;
      const row = this.rows.get(id);
      if (row === undefined || !state.needsRecovery(row.task)) continue;
      this.rows.update(
        row,
        state.recover(row.task, { holder: holderOf(request), leaseMs: request.leaseMs }, nowMs),
      );
      grants.push(this.#logged(request, "recover", row));
    }
    return grants;
  }

  #logged(request: { readonly runner: string }, kind: Grant["kind"], row: Row): Grant {
    const { id, attempt } = row.task;
    this.#log.record(request, [{ id, attempt, kind }]);
    return toGrant(kind, row);
  }

  #forget(
    retention: NonNullable<SweepRequest["retention"]>,
    nowMs: number,
    limit: number,
    keys: string[],
  ): number {
    let room = limit;
    const { payloads, results, rows } = this.rows.ended;
    const each = (set: Set<string>, ageMs: number, forget: (row: Row) => void): void => {
      for (const id of set) {
        const row = this.rows.get(id);
        if (row === undefined || (row.task.finishedAtMs ?? nowMs) + ageMs > nowMs) return;
        if (set === rows && this.#keys.isKept(id, nowMs)) continue;
        if (room-- <= 0) return;
        set.delete(id);
        forget(row);
      }
    };
    each(payloads, retention.payloadMs, (row) => {
      if (row.task.payload.key !== undefined) keys.push(row.task.payload.key);
      row.payload = undefined;
      this.rows.update(row, {
        ...row.task,
        payload: { ...row.task.payload, key: undefined, isForgotten: true },
      });
    });
    each(results, retention.resultMs, (row) => {
      const { result } = row.task;
      if (result === undefined) return;
      if (result.key !== undefined) keys.push(result.key);
      row.result = undefined;
      this.rows.update(row, { ...row.task, result: { ...result, key: undefined, isForgotten: true } });
    });
    each(rows, retention.rowMs, (row) => {
      for (const ref of [row.task.payload, row.task.result]) if (ref?.key !== undefined) keys.push(ref.key);
      this.rows.remove(row.task.id);
    });
    return room;
  }
}

function toGrant(kind: Grant["kind"], row: Row): Grant {
  const { task } = row;
  return {
    kind,
    attempt: task.attempt,
    server: task.server ?? "",
    task: { ...task, payload: withInline(task.payload, row.payload) },
  };
}

function outcomeOf(transition: state.Transition, row: Row): ExchangeOutcome {
  if (transition.outcome !== "stale") return { outcome: transition.outcome };
  return { outcome: "stale", attempt: row.task.attempt, state: row.task.state };
}

/** Why a waiting task ends now, if it does. */
function endingOf(
  task: TaskRecord,
  endings: ReadonlyMap<string, TaskError>,
  nowMs: number,
): TaskError | undefined {
  return task.deadlineAtMs <= nowMs ? WAITED_TOO_LONG : endings.get(task.model);
}
