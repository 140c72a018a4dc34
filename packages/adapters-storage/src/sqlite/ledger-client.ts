import type {
  ExchangeReply,
  ExchangeRequest,
  GatewayError,
  Ledger,
  NewTask,
  OperationOptions,
  SubmitOutcome,
  TaskRecord,
} from "@modelgate/core";
import { broughtRefusalOf } from "@modelgate/core/adapter";
import type { BringsTasks, BroughtOutcome } from "../rows/bring.ts";
import { finite } from "../rows/finite.ts";
import { refusalOfSettlement, requireStorable } from "../rows/storable.ts";
import type { BodyPack } from "./body-pack.ts";
import * as wire from "./ledger-wire.ts";
import { RowCalls, settledOf } from "./row-calls.ts";
import { SentLists } from "./sent-lists.ts";
import type { StoreClient } from "./store-client.ts";
import type { Operation, WireExchanged, WireWant } from "./wire.ts";

/** The ledger as its callers see it. */
export class SqliteLedger extends RowCalls implements Ledger, BringsTasks {
  readonly capabilities = { shared: true, durable: true, order: "exact", inOrder: true } as const;
  readonly #client: StoreClient;
  readonly #lists = new SentLists();

  constructor(client: StoreClient, onClose: () => Promise<void>) {
    super(client, "ledger", onClose);
    this.#client = client;
  }

  submit(batch: readonly NewTask[], options?: OperationOptions): Promise<readonly SubmitOutcome[]> {
    return this.submitAll(batch, options);
  }

  async bringTasks(
    tasks: readonly TaskRecord[],
    options?: OperationOptions,
  ): Promise<readonly BroughtOutcome[]> {
    const refusals = tasks.map(broughtRefusalOf);
    const fit = tasks.filter((_, index) => refusals[index] === undefined);
    const brought = new Set<string>();
    if (fit.length > 0) {
      const { value } = await this.call<string[]>(options, (bodies) => {
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
    const { value, bytes } = await this.call<WireExchanged>(options, (bodies) =>
      this.#toExchange(request, refusals, bodies),
    );
    return {
      sequence: request.sequence,
      nowMs: value.nowMs,
      settled: settledOf(refusals, value.settled),
      renewed: value.renewed.map(wire.toOutcome),
      grants: value.grants.map((grant) => wire.toGrant(grant, bytes)),
      orphanHolds: value.orphans.map(wire.toOrphanHold),
      nextDueInMs: value.due,
    };
  }

  #toExchange(
    request: ExchangeRequest,
    refusals: readonly (GatewayError | undefined)[],
    bodies: BodyPack,
  ): Operation {
    const models: [number, readonly string[]][] = [];
    const forget: number[] = [];
    return {
      op: "exchange",
      ...this.toParts(request, refusals, bodies),
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
      models,
      forget,
    };
  }
}
