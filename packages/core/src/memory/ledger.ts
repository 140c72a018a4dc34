import { systemClock } from "../clock.ts";
import type { Clock } from "../contracts/clock.ts";
import type { Ledger, LedgerCapabilities } from "../contracts/ledger.ts";
import { openness } from "../openness.ts";
import { planGrants, type ServerRoom } from "../scheduler/plan-grants.ts";
import { LaneIndex } from "./lane-index.ts";
import { TaskTable } from "./task-table.ts";

export interface MemoryLedgerOptions {
  /** The store's clock. */
  readonly clock?: Clock | undefined;
  /** For the jitter of back-offs; in [0, 1). */
  readonly random?: (() => number) | undefined;
}

/**
 * A ledger in memory: exact order, nothing durable. Several gateways of one process may share it, and `close` of it
 * is the owner's to call.
 */
export function memoryLedger(options: MemoryLedgerOptions = {}): Ledger {
  const { clock = systemClock, random = Math.random } = options;
  const lanes = new LaneIndex();
  const table = new TaskTable(clock, random, (before, after) => lanes.follow(before, after));
  const capabilities: LedgerCapabilities = { shared: false, durable: false, order: "exact", inOrder: true };
  const guard = openness("memory ledger");

  return {
    capabilities,
    submit: guard.wrap(async (batch) => table.insert(batch)),
    exchange: guard.wrap(async (request) => {
      const nowMs = clock.now();
      const { settled, renewed, grants, repeated } = table.apply(request);
      const orphanHolds = table.rows.orphanHolds(request.want.map((want) => want.server));
      const nextDueInMs = lanes.promote(nowMs);
      const granted = [...grants];
      if (!repeated && request.want.length > 0) {
        const rooms = request.want.map((want): ServerRoom => {
          return { want, used: table.rows.used(want.server), held: table.rows.holds.has(want.server) };
        });
        const open = lanes.open();
        for (const { id, want } of planGrants(rooms, open.lanes)) {
          const row = table.rows.get(id);
          const grant = row === undefined ? undefined : table.grant(request, row, want);
          if (grant !== undefined) granted.push(grant);
        }
        open.settle();
      }
      const { sequence } = request;
      return { sequence, nowMs, settled, renewed, grants: granted, orphanHolds, nextDueInMs };
    }),
    get: guard.wrap(async (ids, { bodies = "none" } = {}) => ids.map((id) => table.rows.read(id, bodies))),
    list: guard.wrap(async (request = {}) => table.rows.list(request)),
    amend: guard.wrap(async (batch) => table.amend(batch)),
    sweep: guard.wrap(async (request) => table.sweep(request)),
    stats: guard.wrap(async () => {
      lanes.promote(clock.now());
      return table.rows.stats(lanes);
    }),
    close: guard.close,
  };
}
