import {
  type Amendment,
  type AmendOutcome,
  type ExchangeOutcome,
  type ExchangeReply,
  type ExchangeRequest,
  GatewayError,
  type GetOptions,
  type Ledger,
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
import { broughtRefusalOf, isTerminal, refusalOf } from "@modelgate/core/adapter";
import type { BringsTasks, BroughtOutcome } from "../rows/bring.ts";
import { finite } from "../rows/finite.ts";
import { cursorOf, toListQuery } from "../rows/list-query.ts";
import { refusalOfSettlement, requireStorable } from "../rows/storable.ts";
import type { SqlRow } from "../rows/task-row.ts";
import { toRecord } from "../rows/task-row.ts";
import { type BodyPack, copyOf } from "./body-pack.ts";
import type { WireAmended } from "./engine/amend.ts";
import type { WireGot } from "./engine/reads.ts";
import type { WireSwept } from "./engine/sweep.ts";
import * as wire from "./ledger-wire.ts";
import { SentLists } from "./sent-lists.ts";
import type { Answer, StoreClient } from "./store-client.ts";
import type { Operation, WireAmendment, WireExchanged, WireSubmitted, WireWant } from "./wire.ts";

/** The ledger as its callers see it: checks, translates and sends. All decisions are the worker's. */
export class SqliteLedger implements Ledger, BringsTasks {
  readonly capabilities = { shared: true, durable: true, order: "exact", inOrder: true } as const;
  readonly #client: StoreClient;
  readonly #onClose: () => Promise<void>;
  readonly #lists = new SentLists();
  #isClosed = false;

  constructor(client: StoreClient, onClose: () => Promise<void>) {
    this.#client = client;
    this.#onClose = onClose;
  }

  async submit(batch: readonly NewTask[], options?: OperationOptions): Promise<readonly SubmitOutcome[]> {
    const refusals = batch.map(refusalOf);
    const fit = batch.filter((_, index) => refusals[index] === undefined);
    if (fit.length === 0) {
      this.#require(options);
      return refusals.map((error) => ({ outcome: "refused", error: error as GatewayError }));
    }
    const { value } = await this.#call<{ nowMs: number; tasks: WireSubmitted[] }>(options, (bodies) => {
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

  async bringTasks(
    tasks: readonly TaskRecord[],
    options?: OperationOptions,
  ): Promise<readonly BroughtOutcome[]> {
    const refusals = tasks.map(broughtRefusalOf);
    const fit = tasks.filter((_, index) => refusals[index] === undefined);
    const brought = new Set<string>();
    if (fit.length > 0) {
      const { value } = await this.#call<string[]>(options, (bodies) => {
        return { op: "bring", tasks: fit.map((task) => wire.toWireBrought(task, bodies)) };
      });
      for (const id of value) brought.add(id);
    }
    return tasks.map(({ id }, index): BroughtOutcome => {
      const error = refusals[index];
      if (error !== undefined) return { outcome: "refused", error };
      return { outcome: brought.has(id) ? "brought" : "known" };
    });
  }

  async exchange(request: ExchangeRequest, options?: OperationOptions): Promise<ExchangeReply> {
    requireStorable(request);
    const refusals = request.settle.map(refusalOfSettlement);
    const { value, bytes } = await this.#call<WireExchanged>(options, (bodies) =>
      this.#toExchange(request, refusals, bodies),
    );
    let at = 0;
    const settled = refusals.map((error): ExchangeOutcome => {
      if (error !== undefined) return { outcome: "refused", error };
      const outcome = value.settled[at] as WireExchanged["settled"][number];
      at += 1;
      return wire.toOutcome(outcome);
    });
    return {
      sequence: request.sequence,
      nowMs: value.nowMs,
      settled,
      renewed: value.renewed.map(wire.toOutcome),
      grants: value.grants.map((grant) => wire.toGrant(grant, bytes)),
      orphanHolds: value.orphans.map(wire.toOrphanHold),
      nextDueInMs: value.due,
    };
  }

  #toExchange(request: ExchangeRequest, refusals: readonly unknown[], bodies: BodyPack): Operation {
    const { runner, incarnation, sequence, acknowledged, leaseMs, recover } = request;
    const models: [number, readonly string[]][] = [];
    const forget: number[] = [];
    const fit = request.settle.filter((_, index) => refusals[index] === undefined);
    return {
      op: "exchange",
      runner,
      incarnation,
      sequence,
      acknowledged,
      leaseMs: finite(leaseMs),
      recover: finite(recover),
      settle: fit.map((item) => wire.toWireSettlement(item, bodies)),
      renew: request.renew.map(({ id, attempt, sent }) => [id, attempt, sent ? 1 : 0] as const),
      want: request.want.map((want): WireWant => {
        const list = this.#lists.numberOf(want.models, this.#client.generation, models, forget);
        return [
          want.server,
          want.instance ?? null,
          finite(want.limit),
          finite(want.max),
          list,
          want.background ? 1 : 0,
          finite(want.cost),
        ];
      }),
      release: request.release.map(({ server, id, attempt }) => [server, id, attempt] as const),
      models,
      forget,
    };
  }

  async get(ids: readonly string[], options: GetOptions = {}): Promise<readonly (TaskRecord | undefined)[]> {
    const { bodies = "none" } = options;
    const { value, bytes } = await this.#call<WireGot[]>(options, () => ({ op: "get", ids, bodies }));
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
    const { value } = await this.#call<SqlRow[]>(options, () => ({ op: "list", request: listed }));
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
    const { value } = await this.#call<WireAmended[]>(options, () => ({ op: "amend", items }));
    return value.map(([outcome, row]) =>
      row === undefined ? { outcome } : { outcome, task: toRecord(row) },
    );
  }

  async sweep(request: SweepRequest, options?: OperationOptions): Promise<SweepReply> {
    const { value } = await this.#call<WireSwept>(options, () => ({
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
    return (await this.#call<LedgerStats>(options, () => ({ op: "stats" }))).value;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#onClose();
  }

  #require(options: OperationOptions | undefined): void {
    if (this.#isClosed) throw new GatewayError("CLOSED", "the SQLite ledger is closed");
    options?.signal?.throwIfAborted();
  }

  #call<T>(
    options: OperationOptions | undefined,
    encode: (bodies: BodyPack) => Operation,
  ): Promise<Answer<T>> {
    this.#require(options);
    return this.#client.call<T>(encode, options?.signal);
  }
}
