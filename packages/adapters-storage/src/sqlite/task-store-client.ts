import type {
  ApplyReply,
  ApplyRequest,
  ClaimOutcome,
  ClaimRequest,
  DueListRequest,
  ListRequest,
  NewTask,
  OperationOptions,
  Page,
  SubmitOutcome,
  TaskRecord,
  TaskStore,
} from "@modelgate/core";
import { compareRank } from "@modelgate/core/adapter";
import { dueCursorOf, toDueQuery } from "../rows/due-query.ts";
import { finite } from "../rows/finite.ts";
import { refusalOfSettlement, requireStorable } from "../rows/storable.ts";
import { toRecord } from "../rows/task-row.ts";
import type { WireDue } from "./engine/due.ts";
import * as wire from "./ledger-wire.ts";
import { RowCalls, settledOf } from "./row-calls.ts";
import type { StoreClient } from "./store-client.ts";
import type { WireApplied, WireClaim, WireClaimed } from "./wire.ts";

/** The rows of the ledger without its order, for a queue of another kind. */
export class SqliteTaskStore extends RowCalls implements TaskStore {
  readonly capabilities = { shared: true, durable: true } as const;

  constructor(client: StoreClient, onClose: () => Promise<void>) {
    super(client, "task store", onClose);
  }

  insert(batch: readonly NewTask[], options?: OperationOptions): Promise<readonly SubmitOutcome[]> {
    return this.submitAll(batch, options);
  }

  async apply(request: ApplyRequest, options?: OperationOptions): Promise<ApplyReply> {
    requireStorable({ ...request, want: [] });
    const { servers } = request;
    const refusals = request.settle.map(refusalOfSettlement);
    const { value, bytes } = await this.call<WireApplied>(options, (bodies) => {
      return { op: "apply", ...this.toParts(request, refusals, bodies), servers };
    });
    return {
      nowMs: value.nowMs,
      settled: settledOf(refusals, value.settled),
      renewed: value.renewed.map(wire.toOutcome),
      grants: value.grants.map((grant) => wire.toGrant(grant, bytes)),
      repeated: value.repeated,
      orphanHolds: value.orphans.map(wire.toOrphanHold),
      returned: value.returned.map((row) => toRecord(row)),
      used: Object.fromEntries(servers.map((server, at) => [server, value.used[at] ?? 0])),
      held: value.held,
    };
  }

  override async list(
    request: ListRequest | DueListRequest = {},
    options?: OperationOptions,
  ): Promise<Page<TaskRecord>> {
    if (!("due" in request)) return await super.list(request, options);
    const query = toDueQuery(request);
    const { value } = await this.call<WireDue>(options, () => ({ op: "due", request: query }));
    const items = value.rows.map((row) => toRecord(row));
    const last = items.at(-1);
    if (query.lanes.length > 1) return { items: items.sort(compareRank) };
    return { items, nextCursor: value.more && last !== undefined ? dueCursorOf(last) : undefined };
  }

  async claim(request: ClaimRequest, options?: OperationOptions): Promise<readonly ClaimOutcome[]> {
    const { runner, incarnation, sequence, leaseMs } = request;
    requireStorable({ runner, incarnation, want: request.claims.flatMap(({ servers }) => servers) });
    const claims = request.claims.map(({ id, servers }): WireClaim => {
      return [id, servers.map(({ server, instance, limit }) => [server, instance ?? null, finite(limit)])];
    });
    const { value, bytes } = await this.call<WireClaimed[]>(options, () => {
      return { op: "claim", runner, incarnation, sequence, leaseMs: finite(leaseMs), claims };
    });
    return value.map((claimed): ClaimOutcome => {
      if (typeof claimed === "number") return { outcome: "not_yet", delayMs: claimed };
      if (claimed === "full" || claimed === "gone") return { outcome: claimed };
      return { outcome: "granted", grant: wire.toGrant(claimed, bytes) };
    });
  }
}
