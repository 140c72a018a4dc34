import {
  type Amendment,
  type AmendOutcome,
  type Closable,
  type ExchangeOutcome,
  type ExchangeRequest,
  GatewayError,
  type GetOptions,
  type LedgerStats,
  type ListRequest,
  type NewTask,
  type OperationOptions,
  type Page,
  type SubmitOutcome,
  type SweepReply,
  type SweepRequest,
  type TaskRecord,
} from "@modelgate/core";
import { isTerminal, refusalOf } from "@modelgate/core/adapter";
import { finite } from "../rows/finite.ts";
import { cursorOf, toListQuery } from "../rows/list-query.ts";
import type { SqlRow } from "../rows/task-row.ts";
import { toRecord } from "../rows/task-row.ts";
import { type BodyPack, copyOf } from "./body-pack.ts";
import type { WireAmended } from "./engine/amend.ts";
import type { WireGot } from "./engine/reads.ts";
import type { WireSwept } from "./engine/sweep.ts";
import * as wire from "./ledger-wire.ts";
import type { Answer, StoreClient } from "./store-client.ts";
import type { Operation, WireAmendment, WireExchangeParts, WireOutcome, WireSubmitted } from "./wire.ts";

/** What a ledger and a task store ask of the same rows alike: checked, translated and sent. All decisions are the worker's. */
export abstract class RowCalls implements Closable {
  readonly #client: StoreClient;
  readonly #name: string;
  readonly #onClose: () => Promise<void>;
  #wasCalled = false;
  #isClosed = false;

  /** @param name in the words of an error. */
  constructor(client: StoreClient, name: string, onClose: () => Promise<void>) {
    this.#client = client;
    this.#name = name;
    this.#onClose = onClose;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether it was called and not closed since. */
  get isInUse(): boolean {
    return this.#wasCalled && !this.#isClosed;
  }

  protected async submitAll(
    batch: readonly NewTask[],
    options?: OperationOptions,
  ): Promise<readonly SubmitOutcome[]> {
    const refusals = batch.map(refusalOf);
    const fit = batch.filter((_, index) => refusals[index] === undefined);
    if (fit.length === 0) {
      this.require(options);
      return refusals.map((error) => ({ outcome: "refused", error: error as GatewayError }));
    }
    const { value } = await this.call<{ nowMs: number; tasks: WireSubmitted[] }>(options, (bodies) => {
      return { op: "submit", tasks: fit.map((task) => wire.toWireTask(task, bodies)) };
    });
    let at = 0;
    return batch.map((task, index): SubmitOutcome => {
      const error = refusals[index];
      if (error !== undefined) return { outcome: "refused", error };
      const submitted = value.tasks[at] as WireSubmitted;
      at += 1;
      return wire.toSubmitOutcome(task, submitted, value.nowMs);
    });
  }

  /** What a request has beside what is wanted; items with a refusal stay here. */
  protected toParts(
    request: Omit<ExchangeRequest, "want">,
    refusals: readonly (GatewayError | undefined)[],
    bodies: BodyPack,
  ): WireExchangeParts {
    const { runner, incarnation, sequence, acknowledged, leaseMs, recover } = request;
    const fit = request.settle.filter((_, index) => refusals[index] === undefined);
    return {
      runner,
      incarnation,
      sequence,
      acknowledged,
      leaseMs: finite(leaseMs),
      recover: finite(recover),
      settle: fit.map((item) => wire.toWireSettlement(item, bodies)),
      renew: request.renew.map(({ id, attempt, sent }) => [id, attempt, sent ? 1 : 0] as const),
      release: request.release.map(({ server, id, attempt }) => [server, id, attempt] as const),
    };
  }

  async get(ids: readonly string[], options: GetOptions = {}): Promise<readonly (TaskRecord | undefined)[]> {
    const { bodies = "none" } = options;
    const { value, bytes } = await this.call<WireGot[]>(options, () => ({ op: "get", ids, bodies }));
    return value.map((got) => {
      if (got === null) return undefined;
      const task = toRecord(got[0]);
      if (got[1] === undefined) return task;
      const inline = copyOf(bytes, got[1]);
      if (bodies === "payload") return { ...task, payload: { ...task.payload, inline } };
      return task.result === undefined ? task : { ...task, result: { ...task.result, inline } };
    });
  }

  async list(request: ListRequest = {}, options?: OperationOptions): Promise<Page<TaskRecord>> {
    const { filter = {}, cursor, limit = 100 } = request;
    const listed = toListQuery(filter, cursor, limit);
    const { value } = await this.call<SqlRow[]>(options, () => ({ op: "list", request: listed }));
    const items = value.slice(0, limit).map((row) => toRecord(row));
    const last = items.at(-1);
    return {
      items,
      nextCursor: value.length > limit && last !== undefined ? cursorOf(last) : undefined,
    };
  }

  async amend(batch: readonly Amendment[], options?: OperationOptions): Promise<readonly AmendOutcome[]> {
    const items = batch.map((item): WireAmendment => {
      return item.kind === "cancel" ? [item.id] : [item.id, item.priority, item.boostMs];
    });
    const { value } = await this.call<WireAmended[]>(options, () => ({ op: "amend", items }));
    return value.map(([outcome, row]) =>
      row === undefined ? { outcome } : { outcome, task: toRecord(row) },
    );
  }

  async sweep(request: SweepRequest, options?: OperationOptions): Promise<SweepReply> {
    const { value } = await this.call<WireSwept>(options, () => ({
      op: "sweep",
      request: wire.toWireSweep(request),
    }));
    const changed = value.changed.map((row) => toRecord(row));
    return {
      returned: changed.filter((task) => task.state === "pending"),
      ended: changed.filter((task) => isTerminal(task.state)),
      unreferencedKeys: value.unreferencedKeys,
      more: value.more,
    };
  }

  async stats(options?: OperationOptions): Promise<LedgerStats> {
    return (await this.call<LedgerStats>(options, () => ({ op: "stats" }))).value;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#onClose();
  }

  protected require(options: OperationOptions | undefined): void {
    if (this.#isClosed) throw new GatewayError("CLOSED", `the SQLite ${this.#name} is closed`);
    options?.signal?.throwIfAborted();
  }

  protected call<T>(
    options: OperationOptions | undefined,
    encode: (bodies: BodyPack) => Operation,
  ): Promise<Answer<T>> {
    this.require(options);
    this.#wasCalled = true;
    return this.#client.call<T>(encode, options?.signal);
  }
}

/** One outcome for each settlement in its order: those that were refused here never reached the worker. */
export function settledOf(
  refusals: readonly (GatewayError | undefined)[],
  settled: readonly WireOutcome[],
): ExchangeOutcome[] {
  let at = 0;
  return refusals.map((error): ExchangeOutcome => {
    if (error !== undefined) return { outcome: "refused", error };
    const outcome = settled[at] as WireOutcome;
    at += 1;
    return wire.toOutcome(outcome);
  });
}
