import {
  type Amendment,
  type AmendOutcome,
  type ExchangeOutcome,
  GatewayError,
  type GetOptions,
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
import { refusalOf } from "@modelgate/core/adapter";
import { finite } from "../rows/finite.ts";
import { isStorable, refusalOfSettlement } from "../rows/storable.ts";
import { amendTasks } from "./amend.ts";
import { Calls, type PartOptions } from "./calls.ts";
import { type ExchangeParts, type FitExchange, IN_ORDER } from "./open-exchange.ts";
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

export interface TasksOptions extends PartOptions {
  readonly random: () => number;
}

/** Runs an exchange in a transaction, step by step if it must be. */
type RunExchange<Request extends ExchangeParts, Reply> = (
  session: Session,
  fit: FitExchange<Request>,
  isInOrder: boolean,
) => Promise<Reply | typeof IN_ORDER>;

/** What ledger and task store do alike: everything but to choose what is granted. */
export abstract class PostgresTasks {
  readonly #pool: PostgresPool;
  readonly #calls: Calls;
  readonly #random: () => number;
  readonly #sql: Statements;
  readonly #queue: SubmitQueue;
  readonly #upkeep: Upkeep;
  readonly #exchanges = new Turns(EXCHANGE_WAIT_MS);

  constructor(pool: PostgresPool, part: string, options: TasksOptions) {
    this.#pool = pool;
    this.#calls = new Calls(part, options);
    this.#random = options.random;
    this.#sql = statementsOf(pool.options.schema);
    this.#queue = new SubmitQueue((work) => this.transact(work));
    this.#upkeep = new Upkeep(pool, this.#sql);
  }

  protected async accept(
    batch: readonly NewTask[],
    options?: OperationOptions,
  ): Promise<readonly SubmitOutcome[]> {
    const refusals = batch.map((task) => refusalOf(task) ?? refusalOfTexts(task));
    const fit = batch.filter((_, index) => refusals[index] === undefined);
    const outcomes = await this.call(
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

  /** Refuses the settlements that cannot be written, each by itself, and runs the rest of the exchange. */
  protected async settling<Request extends ExchangeParts, Reply extends SettledReply>(
    request: Request,
    nothing: Partial<Request>,
    run: RunExchange<Request, Reply>,
  ): Promise<Reply> {
    const refusals = request.settle.map(refusalOfSettlement);
    const fit = (): FitExchange<Request> => {
      const settle = request.settle.map((item, index) => (refusals[index] === undefined ? item : undefined));
      return { request, settle };
    };
    const inOrder = async () => (await this.transact((session) => run(session, fit(), true))) as Reply;
    const quickly = async () => {
      const reply = await this.transact((session) => run(session, fit(), false));
      return reply === IN_ORDER ? await inOrder() : reply;
    };
    const reply = await quickly().catch(async (error: unknown) => {
      if (!isOfItem(error) || request.settle.length === 0) throw error;
      const empty = { ...request, ...nothing, renew: [], recover: 0, release: [] };
      await this.#findRefused(request.settle, refusals, empty, run);
      return await inOrder();
    });
    return withRefusals(reply, refusals);
  }

  /** Finds the settlement that the database refuses by writing each by itself, with nothing wanted. */
  async #findRefused<Request extends ExchangeParts, Reply>(
    items: readonly Settlement[],
    refusals: (GatewayError | undefined)[],
    empty: Request,
    run: RunExchange<Request, Reply>,
  ): Promise<void> {
    for (const [index, item] of items.entries()) {
      if (refusals[index] !== undefined) continue;
      const alone = { request: { ...empty, settle: [item] }, settle: [item] };
      try {
        // Undone whatever comes of it: the whole exchange is run again without those that failed.
        await this.transact((session) => run(session, alone, true).then(undo));
      } catch (error) {
        if (error instanceof Undone) continue;
        if (!isOfItem(error)) throw error;
        refusals[index] = refusalOfItem(error);
      }
    }
  }

  async get(ids: readonly string[], options: GetOptions = {}): Promise<readonly (TaskRecord | undefined)[]> {
    return await this.call(() => getTasks(this.#pool, this.#sql, ids, options.bodies ?? "none"), options);
  }

  async list(request: ListRequest = {}, options?: OperationOptions): Promise<Page<TaskRecord>> {
    return await this.call(() => listTasks(this.#pool, request), options);
  }

  async amend(batch: readonly Amendment[], options?: OperationOptions): Promise<readonly AmendOutcome[]> {
    return await this.call(() => this.transact((session) => amendTasks(session, batch)), options);
  }

  async sweep(request: SweepRequest, options?: OperationOptions): Promise<SweepReply> {
    return await this.call(async () => {
      const inTransaction: InTransaction = (work) => this.transact(work);
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
    return await this.call(() => readStats(this.#pool, this.#sql), options);
  }

  close(): Promise<void> {
    return this.#calls.close();
  }

  /** Calls of one runner go one at a time. */
  protected inTurn<T>(runner: string, work: () => Promise<T>, options?: OperationOptions): Promise<T> {
    return this.call(() => this.#exchanges.run(runner, work), options);
  }

  protected transact<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const { schema } = this.#pool.options;
    return this.#pool.transaction((tx) => work({ tx, sql: this.#sql, schema, random: this.#random }));
  }

  protected call<T>(work: () => Promise<T>, options: OperationOptions | undefined): Promise<T> {
    return this.#calls.run(work, options);
  }
}

/** Thrown to undo a transaction that did what it should. */
class Undone extends Error {}

function undo(): never {
  throw new Undone();
}

export function refusalOfTexts({
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

interface SettledReply {
  readonly settled: readonly ExchangeOutcome[];
}

function withRefusals<Reply extends SettledReply>(
  reply: Reply,
  refusals: readonly (GatewayError | undefined)[],
): Reply {
  const settled = refusals.map((error, index): ExchangeOutcome => {
    return error === undefined ? (reply.settled[index] as ExchangeOutcome) : { outcome: "refused", error };
  });
  return { ...reply, settled };
}
