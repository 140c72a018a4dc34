import type { HoldRef } from "../../../../src/contracts/ledger.ts";
import type { LedgerFault } from "../../ledger-fixtures.ts";
import { around, type BrokenLedger, eachClient, ignoringHolds, nextTurn, settles, tasksIn } from "./tools.ts";

/** A server whose work runs is free as far as this one is concerned. */
function freeWhileRunning(isWatched: boolean): LedgerFault {
  return () => (client, reopenings) =>
    ignoringHolds(client, async (server) => {
      if (reopenings > 0) return false;
      const run = await tasksIn(client, "running");
      return run.some((task) => task.server === server && (task.holder !== undefined) === isWatched);
    });
}

export const holding: readonly BrokenLedger[] = [
  {
    fault: "Two that ask at once get the same server.",
    caughtBy: "a server is held by one background task only, also when several runners ask at once",
    plant: () => {
      let asking = 0;
      return (client) => ({
        ...client,
        exchange: async (request, options) => {
          asking += 1;
          const turn = asking;
          await nextTurn();
          try {
            return await ignoringHolds(client, () => turn > 1, `~${turn}`).exchange(request, options);
          } finally {
            asking -= 1;
          }
        },
      });
    },
  },
  {
    fault: "A hold ends when the server accepts the work.",
    caughtBy: "work that runs keeps its hold",
    plant: freeWhileRunning(true),
  },
  {
    fault: "A hold ends with its task.",
    caughtBy: "a hold outlives its task when the ending does not release it",
    plant: settles((item) => (item.kind === "succeeded" ? { ...item, releaseHold: true } : item)),
  },
  {
    fault: "A hold is never released by an ending.",
    caughtBy: "an ending that releases the hold frees the server at once",
    plant: settles((item) => (item.kind === "succeeded" ? { ...item, releaseHold: false } : item)),
  },
  {
    fault: "Nobody is told of a hold that nobody looks after.",
    caughtBy: "a hold that nobody looks after is told to who wants its server, and nobody else",
    plant: eachClient((client) =>
      around(client, async (request, next) => ({ ...(await next(request)), orphanHolds: [] })),
    ),
  },
  {
    fault: "A hold is released whichever attempt is named.",
    caughtBy: "a hold is released by server, task and attempt, all three of which must be right",
    plant: () => {
      const attempts = new Map<string, number>();
      return (client) =>
        around(client, async (request, next) => {
          const right = (hold: HoldRef) => ({ ...hold, attempt: attempts.get(hold.id) ?? hold.attempt });
          const reply = await next({ ...request, release: request.release.map(right) });
          for (const { task, attempt } of reply.grants) attempts.set(task.id, attempt);
          return reply;
        });
    },
  },
  {
    fault: "A hold is released for an attempt that has long ended.",
    caughtBy: "a hold that a later attempt has taken over is not released for an earlier one",
    plant: () => {
      const released = new Set<string>();
      return (client) => ({
        ...client,
        exchange: async (request, options) => {
          const tasks = await client.get(request.release.map(({ id }) => id));
          for (const [at, { server, attempt }] of request.release.entries())
            if (tasks[at]?.holder !== undefined && (tasks[at]?.attempt ?? 0) > attempt) released.add(server);
          return await ignoringHolds(client, (server) => released.has(server)).exchange(request, options);
        },
      });
    },
  },
  {
    fault: "A hold ends when nobody watches its work any more.",
    caughtBy: "a server stays held while its work waits to be recovered",
    plant: freeWhileRunning(false),
  },
];
