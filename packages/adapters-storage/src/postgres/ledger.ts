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
  type Settlement,
  type SubmitOutcome,
  type SweepReply,
  type SweepRequest,
  type TaskRecord,
} from "@modelgate/core";
import { broughtRefusalOf, refusalOf } from "@modelgate/core/adapter";
import type { BringsTasks, BroughtOutcome } from "../rows/bring.ts";
import { finite } from "../rows/finite.ts";
import { isStorable, refusalOfSettlement, requireStorable } from "../rows/storable.ts";
import { amendTasks } from "./amend.ts";
import { bringTasks } from "./bring.ts";
import { Calls, type PartOptions } from "./calls.ts";
import { exchange, IN_ORDER } from "./exchange.ts";
import type { PostgresPool } from "./pool.ts";
import { isOfItem, refusalOfItem } from "./postgres-error.ts";
import { getTasks, listTasks, readStats } from "./reads.ts";
import { forgetEnded, forgetKeys, type InTransaction } from "./retention.ts";
import type { Session } from "./session.ts";
import { type Statements, statementsOf } from "./statements.ts";
import { SubmitQueue } from "./submit-queue.ts";
import { sweepLive } from "./sweep.ts";
import { Turns } from "./turns.ts";
import { Upkeep } from "./upkeep.ts";

/** How long an exchange waits for the one before it of the same runner, whose caller has given it up. */
const EXCHANGE_WAIT_MS = 2_000;

/** The ledger on PostgreSQL. Any number of processes use it at once; order and limits are decided in the database. */
export class PostgresLedger implements Ledger, BringsTasks {
  readonly capabilities = { shared: true, durable: true, order: "exact", inOrder: false } as const;
  readonly #pool: PostgresPool;
  readonly #calls: Calls;
  readonly #random: () => number;
  readonly #sql: Statements;
  readonly #queue: SubmitQueue;
  readonly #upkeep: Upkeep;
  readonly #exchanges = new Turns(EXCHANGE_WAIT_MS);

  constructor(pool: PostgresPool, options: PartOptions & { readonly random: () => number }) {
    this.#pool = pool;
    this.#calls = new Calls("ledger", options);
    this.#random = options.random;
    this.#sql = statementsOf(pool.options.schema);
    this.#queue = new SubmitQueue((work) => this.#transact(work));
    this.#upkeep = new Upkeep(pool, this.#sql);
  }

  async submit(batch: readonly NewTask[], options?: OperationOptions): Promise<readonly SubmitOutcome[]> {
    const refusals = batch.map((task) => refusalOf(task) ?? refusalOfTexts(task));
    const fit = batch.filter((_, index) => refusals[index] === undefined);
    const outcomes = await this.#call(
      async () => (fit.length === 0 ? [] : await this.#queue.submit(fit)),
      options,
    );
    let at = 0;
    return refusals.map((error): SubmitOutcome => {
      if (error !== undefined) return { outcome: "refused", error };
      at += 1;
      return outcomes[at - 1] as SubmitOutcome;
    });
  }

  async bringTasks(
    tasks: readonly TaskRecord[],
    options?: OperationOptions,
  ): Promise<readonly BroughtOutcome[]> {
    const refusals = tasks.map((task) => broughtRefusalOf(task) ?? refusalOfTexts(task));
    const fit = tasks.filter((_, index) => refusals[index] === undefined);
    const write = () =>
      this.#transact(async (session) => {
        const done = await bringTasks(session, fit);
        await session.tx.commit();
        return done;
      });
    const brought = fit.length === 0 ? new Set() : await this.#call(write, options);
    return tasks.map(({ id }, index): BroughtOutcome => {
      const error = refusals[index];
      if (error !== undefined) return { outcome: "refused", error };
      return { outcome: brought.has(id) ? "brought" : "known" };
    });
  }

  async exchange(request: ExchangeRequest, options?: OperationOptions): Promise<ExchangeReply> {
    requireStorable(request);
    const refusals = request.settle.map(refusalOfSettlement);
    const settle = request.settle.map((item, index) => (refusals[index] === undefined ? item : undefined));
    const reply = await this.#call(
      () => this.#exchanges.run(request.runner, () => this.#exchange(request, settle, refusals)),
      options,
    );
    return withRefusals(reply, refusals);
  }

  async #exchange(
    request: ExchangeRequest,
    settle: readonly (Settlement | undefined)[],
    refusals: (GatewayError | undefined)[],
  ): Promise<ExchangeReply> {
    try {
      const quick = await this.#transact((session) => exchange(session, { request, settle }, false));
      if (quick !== IN_ORDER) return quick;
      return (await this.#transact((session) =>
        exchange(session, { request, settle }, true),
      )) as ExchangeReply;
    } catch (error) {
      if (!isOfItem(error) || request.settle.length === 0) throw error;
      return await this.#exchangeOneByOne(request, refusals);
    }
  }

  /** Finds the settlement that the database refuses by writing each by itself, with nothing wanted. */
  async #exchangeOneByOne(
    request: ExchangeRequest,
    refusals: (GatewayError | undefined)[],
  ): Promise<ExchangeReply> {
    for (const [index, item] of request.settle.entries()) {
      if (refusals[index] !== undefined) continue;
      const alone = { ...request, settle: [item], renew: [], want: [], recover: 0, release: [] };
      try {
        // Undone whatever comes of it: the whole exchange is run again without those that failed.
        await this.#transact((session) =>
          exchange(session, { request: alone, settle: [item] }, true).then(undo),
        );
      } catch (error) {
        if (error instanceof Undone) continue;
        if (!isOfItem(error)) throw error;
        refusals[index] = refusalOfItem(error);
      }
    }
    const settle = request.settle.map((item, index) => (refusals[index] === undefined ? item : undefined));
    return (await this.#transact((session) => exchange(session, { request, settle }, true))) as ExchangeReply;
  }

  async get(ids: readonly string[], options: GetOptions = {}): Promise<readonly (TaskRecord | undefined)[]> {
    return await this.#call(() => getTasks(this.#pool, this.#sql, ids, options.bodies ?? "none"), options);
  }

  async list(request: ListRequest = {}, options?: OperationOptions): Promise<Page<TaskRecord>> {
    return await this.#call(() => listTasks(this.#pool, request), options);
  }

  async amend(batch: readonly Amendment[], options?: OperationOptions): Promise<readonly AmendOutcome[]> {
    return await this.#call(() => this.#transact((session) => amendTasks(session, batch)), options);
  }

  async sweep(request: SweepRequest, options?: OperationOptions): Promise<SweepReply> {
    return await this.#call(async () => {
      const inTransaction: InTransaction = (work) => this.#transact(work);
      const { returned, ended, ...live } = await inTransaction((session) => sweepLive(session, request));
      let { room } = live;
      await inTransaction(forgetKeys);
      const unreferencedKeys: string[] = [];
      if (request.retention !== undefined && room > 0) {
        const { payloadMs, resultMs, rowMs } = request.retention;
        const ages = { payloadMs: finite(payloadMs), resultMs: finite(resultMs), rowMs: finite(rowMs) };
        room = await forgetEnded(inTransaction, ages, room, unreferencedKeys);
      }
      await this.#upkeep.run(inTransaction);
      return { returned, ended, unreferencedKeys, more: room <= 0 };
    }, options);
  }

  async stats(options?: OperationOptions): Promise<LedgerStats> {
    return await this.#call(() => readStats(this.#pool, this.#sql), options);
  }

  close(): Promise<void> {
    return this.#calls.close();
  }

  #transact<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const { schema } = this.#pool.options;
    return this.#pool.transaction((tx) => work({ tx, sql: this.#sql, schema, random: this.#random }));
  }

  #call<T>(work: () => Promise<T>, options: OperationOptions | undefined): Promise<T> {
    return this.#calls.run(work, options);
  }
}

/** Thrown to undo a transaction that did what it should. */
class Undone extends Error {}

function undo(): never {
  throw new Undone();
}

function refusalOfTexts({
  model,
  operation,
  owner,
}: Pick<NewTask, "model" | "operation" | "owner">): GatewayError | undefined {
  for (const [field, text] of Object.entries({ model, operation, owner })) {
    if (isStorable(text)) continue;
    const message = `${field} holds a character that cannot be stored`;
    return new GatewayError("INVALID_REQUEST", message, { details: { field } });
  }
  return undefined;
}

function withRefusals(reply: ExchangeReply, refusals: readonly (GatewayError | undefined)[]): ExchangeReply {
  const settled = refusals.map((error, index): ExchangeOutcome => {
    return error === undefined ? (reply.settled[index] as ExchangeOutcome) : { outcome: "refused", error };
  });
  return { ...reply, settled };
}
