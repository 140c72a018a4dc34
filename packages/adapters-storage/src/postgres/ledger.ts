import type {
  ExchangeReply,
  ExchangeRequest,
  Ledger,
  NewTask,
  OperationOptions,
  SubmitOutcome,
  TaskRecord,
} from "@modelgate/core";
import { broughtRefusalOf } from "@modelgate/core/adapter";
import type { BringsTasks, BroughtOutcome } from "../rows/bring.ts";
import { requireStorable } from "../rows/storable.ts";
import { bringTasks } from "./bring.ts";
import { exchange } from "./exchange.ts";
import type { PostgresPool } from "./pool.ts";
import { PostgresTasks, refusalOfTexts, type TasksOptions } from "./tasks.ts";

/** The ledger on PostgreSQL. Any number of processes use it at once; order and limits are decided in the database. */
export class PostgresLedger extends PostgresTasks implements Ledger, BringsTasks {
  readonly capabilities = { shared: true, durable: true, order: "exact", inOrder: false } as const;

  constructor(pool: PostgresPool, options: TasksOptions) {
    super(pool, "ledger", options);
  }

  submit(batch: readonly NewTask[], options?: OperationOptions): Promise<readonly SubmitOutcome[]> {
    return this.accept(batch, options);
  }

  async bringTasks(
    tasks: readonly TaskRecord[],
    options?: OperationOptions,
  ): Promise<readonly BroughtOutcome[]> {
    const refusals = tasks.map((task) => broughtRefusalOf(task) ?? refusalOfTexts(task));
    const fit = tasks.filter((_, index) => refusals[index] === undefined);
    const write = () =>
      this.transact(async (session) => {
        const done = await bringTasks(session, fit);
        await session.tx.commit();
        return done;
      });
    const brought = fit.length === 0 ? new Set() : await this.call(write, options);
    return tasks.map(({ id }, index): BroughtOutcome => {
      const error = refusals[index];
      if (error !== undefined) return { outcome: "refused", error };
      return { outcome: brought.has(id) ? "brought" : "known" };
    });
  }

  async exchange(request: ExchangeRequest, options?: OperationOptions): Promise<ExchangeReply> {
    requireStorable(request);
    const work = () => this.settling(request, { want: [] }, exchange);
    return await this.inTurn(request.runner, work, options);
  }
}
