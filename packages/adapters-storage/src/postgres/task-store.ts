import { randomBytes } from "node:crypto";
import {
  type ApplyReply,
  type ApplyRequest,
  type Claim,
  type ClaimOutcome,
  type ClaimRequest,
  type DueListRequest,
  GatewayError,
  type ListRequest,
  type NewTask,
  type OperationOptions,
  type Page,
  type SubmitOutcome,
  type TaskRecord,
  type TaskStore,
} from "@modelgate/core";
import { staleRunner } from "@modelgate/core/adapter";
import { toDueQuery } from "../rows/due-query.ts";
import { isStorable, refusalOfSettlement, requireStorable } from "../rows/storable.ts";
import { apply, applyAtOnce, isAllPlain } from "./apply.ts";
import { type ClaimCall, claimAtOnce, claimInOrder, isSimple } from "./claim.ts";
import { listDue } from "./due.ts";
import type { PostgresPool } from "./pool.ts";
import { isOfItem } from "./postgres-error.ts";
import { PostgresTasks, type TasksOptions } from "./tasks.ts";

/** The task store on PostgreSQL, over the rows of the ledger: what waits is ordered by somebody else. */
export class PostgresTaskStore extends PostgresTasks implements TaskStore {
  readonly capabilities = { shared: true, durable: true } as const;
  /** The last sequence that was applied here, of each runner. */
  readonly #applied = new Map<string, Pick<ApplyRequest, "incarnation" | "sequence">>();

  constructor(pool: PostgresPool, options: TasksOptions) {
    super(pool, "task store", options);
  }

  insert(batch: readonly NewTask[], options?: OperationOptions): Promise<readonly SubmitOutcome[]> {
    return this.accept(batch, options);
  }

  async apply(request: ApplyRequest, options?: OperationOptions): Promise<ApplyReply> {
    const { runner, incarnation, sequence, servers } = request;
    requireStorable({ runner, incarnation, want: servers.map((server) => ({ server })) });
    const reply = await this.inTurn(runner, () => this.#apply(request), options);
    this.#applied.set(runner, { incarnation, sequence });
    return reply;
  }

  async #apply(request: ApplyRequest): Promise<ApplyReply> {
    const { settle } = request;
    const isUsual =
      this.#isNext(request) &&
      isAllPlain(settle) &&
      settle.every((item) => refusalOfSettlement(item) === undefined);
    const atOnce = isUsual
      ? await this.transact((session) => applyAtOnce(session, { request, settle })).catch((error) => {
          if (isOfItem(error)) return undefined;
          throw error;
        })
      : undefined;
    if (atOnce?.isWhole === true) return atOnce.reply;
    const reply = await this.settling(request, { servers: [] }, apply);
    // The sequence was opened a moment ago, by this same call.
    return atOnce === undefined ? reply : { ...reply, repeated: false };
  }

  override async list(
    request: ListRequest | DueListRequest = {},
    options?: OperationOptions,
  ): Promise<Page<TaskRecord>> {
    if (!("due" in request)) return await super.list(request, options);
    const query = toDueQuery(request);
    return await this.call(() => this.transact((session) => listDue(session, query)), options);
  }

  #isNext({ runner, incarnation, sequence, acknowledged }: ApplyRequest): boolean {
    const before = this.#applied.get(runner);
    if (before === undefined) return false;
    return (
      before.incarnation === incarnation && before.sequence < sequence && before.sequence <= acknowledged
    );
  }

  async claim(request: ClaimRequest, options?: OperationOptions): Promise<readonly ClaimOutcome[]> {
    const { runner, incarnation, claims } = request;
    requireStorable({ runner, incarnation, want: claims.flatMap(({ servers }) => servers) });
    return await this.inTurn(runner, () => this.#claim(request), options);
  }

  async #claim(request: ClaimRequest): Promise<ClaimOutcome[]> {
    const call: ClaimCall = {
      request,
      mark: randomBytes(6).toString("base64url"),
      require: (incarnation, sequence) => this.#requireOpen(request, incarnation, sequence),
    };
    const outcomes: (ClaimOutcome | undefined)[] = request.claims.map(() => undefined);
    // An id that no row can have names no task.
    const all = [...request.claims.keys()].filter((at) => isStorable(request.claims[at]?.id));
    const decide = async (places: readonly number[], isAtOnce: boolean): Promise<void> => {
      const claims = places.map((at) => request.claims[at] as Claim);
      let tries = 0;
      const decided = await this.transact((session) => {
        tries += 1;
        // What the first try did whose answer was lost, only the other way finds out.
        const isFirst = isAtOnce && tries === 1;
        return isFirst ? claimAtOnce(session, call, claims) : claimInOrder(session, call, claims);
      });
      places.forEach((at, index) => {
        outcomes[at] = decided[index];
      });
    };
    if (isSimple(all.map((at) => request.claims[at] as Claim))) await decide(all, true);
    const rest = all.filter((at) => outcomes[at] === undefined);
    if (rest.length > 0) await decide(rest, false);
    return outcomes.map((outcome) => outcome ?? { outcome: "gone" });
  }

  #requireOpen(request: ClaimRequest, incarnation: string | null, sequence: number | null): void {
    if (incarnation === request.incarnation && sequence === request.sequence) return;
    const applied = this.#applied.get(request.runner);
    // An apply in which nothing happened does not wait for the disk.
    const isForgotten =
      incarnation === request.incarnation &&
      sequence !== null &&
      sequence < request.sequence &&
      applied?.incarnation === request.incarnation &&
      applied.sequence === request.sequence;
    if (!isForgotten) throw staleRunner(request);
    const message = "PostgreSQL crashed and forgot the sequence that the claim belongs to; apply it again";
    throw new GatewayError("STORE_UNAVAILABLE", message);
  }
}
