import type { ExchangeReply, ExchangeRequest, Grant } from "../../../../src/contracts/ledger.ts";
import { GatewayError } from "../../../../src/errors.ts";
import type { LedgerFault } from "../../ledger-fixtures.ts";
import { around, type BrokenLedger, ignoringHolds, told } from "./tools.ts";

const STALE_INCARNATION = "an earlier incarnation of a runner is stale, and nothing of its exchange is done";
const STALE_SEQUENCE = "an earlier sequence of a runner is stale, and nothing of its exchange is done";

function nameOf({ runner, incarnation, sequence }: ExchangeRequest): string {
  return JSON.stringify([runner, incarnation, sequence]);
}

/** Does something else when an exchange is repeated. */
function onRepetition(
  answer: (
    request: ExchangeRequest,
    first: ExchangeReply,
    next: (request: ExchangeRequest) => Promise<ExchangeReply>,
  ) => Promise<ExchangeReply>,
): LedgerFault {
  return () => {
    const seen = new Map<string, ExchangeReply>();
    return (client) =>
      around(client, async (request, next) => {
        const first = seen.get(nameOf(request));
        if (first !== undefined) return await answer(request, first, next);
        const reply = await next(request);
        seen.set(nameOf(request), reply);
        return reply;
      });
  };
}

/** Takes grants for acknowledged whose reply was lost, if all of them are of this kind. */
function keepingUnacknowledged(isOfKind: (grant: Grant) => boolean): LedgerFault {
  return () => {
    const last = new Map<string, readonly Grant[]>();
    return (client) =>
      around(client, async (request, next) => {
        const grants = last.get(request.runner) ?? [];
        const keeps = grants.length > 0 && grants.every(isOfKind);
        const reply = await next(keeps ? { ...request, acknowledged: request.sequence - 1 } : request);
        last.set(request.runner, reply.grants);
        return reply;
      });
  };
}

/** Does the exchange of a stale runner all the same, as if of another one. */
function acceptingStale(
  isForgotten: (request: ExchangeRequest, latest: string | undefined) => boolean,
): LedgerFault {
  return () => {
    const latest = new Map<string, string>();
    return (client, reopenings) =>
      around(client, async (request, next) => {
        try {
          const reply = await next(request);
          latest.set(request.runner, request.incarnation);
          return reply;
        } catch (error) {
          const isAccepted = reopenings === 0 && isForgotten(request, latest.get(request.runner));
          if (!GatewayError.is(error, "STALE_RUNNER") || !isAccepted) throw error;
          return await next({ ...request, runner: `${request.runner} once more` });
        }
      });
  };
}

export const repeating: readonly BrokenLedger[] = [
  {
    fault: "An exchange that is repeated gives no grants.",
    caughtBy: "an exchange that is repeated gives the same grants, and no others",
    plant: onRepetition(async (request, _first, next) => ({ ...(await next(request)), grants: [] })),
  },
  {
    fault: "An exchange that is repeated grants once more.",
    caughtBy: "an exchange that is repeated gives the same grants, and no others",
    plant: onRepetition(async (request, _first, next) => {
      const want = request.want.map((each) => ({ ...each, limit: each.limit * 2 }));
      const more = await next({ ...request, want, runner: `${request.runner} once more`, settle: [] });
      const again = await next(request);
      return { ...again, grants: [...again.grants, ...more.grants] };
    }),
  },
  {
    fault: "An exchange that is repeated counts its failures once more.",
    caughtBy: "an exchange that is repeated settles once",
    plant: () => {
      const seen = new Set<string>();
      const failures = new Map<string, number>();
      return (client) =>
        told(
          around(client, async (request, next) => {
            const counted = request.settle.filter((item) => item.kind === "returned" && item.counts);
            if (seen.has(nameOf(request)))
              for (const { id } of counted) failures.set(id, (failures.get(id) ?? 0) + 1);
            seen.add(nameOf(request));
            return await next(request);
          }),
          (task) => ({ ...task, failures: task.failures + (failures.get(task.id) ?? 0) }),
        );
    },
  },
  {
    fault: "Grants whose reply was lost stay with the runner that never heard of them.",
    caughtBy: "grants whose reply was lost go back as they were when the exchange is not repeated",
    plant: keepingUnacknowledged(({ kind, task }) => kind === "run" && !task.background),
  },
  {
    fault: "A grant whose reply was lost counts as a lost attempt.",
    caughtBy: "grants whose reply was lost go back as they were when the exchange is not repeated",
    plant: () => {
      const last = new Map<string, ExchangeReply>();
      const lost = new Set<string>();
      return (client) =>
        told(
          around(client, async (request, next) => {
            const reply = last.get(request.runner);
            if (
              reply !== undefined &&
              request.acknowledged < reply.sequence &&
              request.sequence > reply.sequence
            )
              for (const { task } of reply.grants) lost.add(task.id);
            const now = await next(request);
            last.set(request.runner, now);
            return now;
          }),
          (task) => (lost.has(task.id) ? { ...task, lostAttempts: task.lostAttempts + 1 } : task),
        );
    },
  },
  {
    fault: "A grant whose reply was lost goes back, and its hold stays.",
    caughtBy: "a grant of background work whose reply was lost lets go of its server",
    plant: () => {
      const last = new Map<string, ExchangeReply>();
      const stuck = new Set<string>();
      return (client) =>
        around(client, async (request, next) => {
          const reply = last.get(request.runner);
          if (
            reply !== undefined &&
            request.acknowledged < reply.sequence &&
            request.sequence > reply.sequence
          )
            for (const { task, server, kind } of reply.grants)
              if (task.background && kind === "run") stuck.add(server);
          const want = request.want.map((each) =>
            stuck.has(each.server) ? { ...each, background: false } : each,
          );
          const now = await next({ ...request, want });
          last.set(request.runner, now);
          return now;
        });
    },
  },
  {
    fault: "A recovery whose reply was lost stays with the runner that never heard of it.",
    caughtBy: "a recovery whose reply was lost is to be recovered again",
    plant: keepingUnacknowledged(({ kind }) => kind === "recover"),
  },
  {
    fault: "A repeated exchange is answered from a memory of replies.",
    caughtBy: "a repeated exchange does not give again what somebody else holds by now",
    plant: onRepetition(async (_request, first) => first),
  },
  {
    fault: "A new incarnation waits for the leases of the last one.",
    caughtBy: "a runner that starts anew takes what it held before back at once",
    plant: () => {
      const incarnations = new Map<string, string[]>();
      return (client) =>
        around(client, async (request, next) => {
          const known = incarnations.get(request.runner) ?? [];
          if (known.includes(request.incarnation) && known.at(-1) !== request.incarnation)
            throw new GatewayError("STALE_RUNNER", "a newer incarnation was seen");
          if (!known.includes(request.incarnation))
            incarnations.set(request.runner, [...known, request.incarnation]);
          return await next({ ...request, runner: `${request.runner}/${request.incarnation}` });
        });
    },
  },
  {
    fault: "An earlier incarnation is not told from the latest.",
    caughtBy: STALE_INCARNATION,
    plant: acceptingStale(({ incarnation }, latest) => incarnation !== latest),
  },
  {
    fault: "An earlier sequence is done.",
    caughtBy: STALE_SEQUENCE,
    plant: acceptingStale(({ incarnation }, latest) => incarnation === latest),
  },
  {
    fault: "Sequences are kept in memory only.",
    caughtBy: "an earlier sequence is stale also after the ledger was opened again",
    plant: () => (client, reopenings) =>
      around(client, (request, next) => {
        return next(reopenings === 0 ? request : { ...request, runner: `${request.runner} ${reopenings}` });
      }),
  },
  {
    fault: "A hold is forgotten when the ledger is opened again.",
    caughtBy: "endings, results, attempts, runs and holds are there when the ledger is opened again",
    plant: () => (client, reopenings) => ignoringHolds(client, () => reopenings > 0),
  },
  {
    fault: "It is told accepted before the commit, which comes with the next call.",
    caughtBy: "what was accepted is there when the ledger is opened again",
    plant: () => {
      let uncommitted = new Set<string>();
      const lost = new Set<string>();
      let opened = 0;
      return (client, reopenings) => {
        if (reopenings > opened) for (const id of uncommitted) lost.add(id);
        opened = reopenings;
        const commits = <T>(call: Promise<T>): Promise<T> => {
          uncommitted = new Set();
          return call;
        };
        return {
          ...client,
          submit: (batch, options) => {
            uncommitted = new Set(batch.map(({ id }) => id));
            return client.submit(batch, options);
          },
          exchange: (request, options) => commits(client.exchange(request, options)),
          amend: (batch, options) => commits(client.amend(batch, options)),
          get: async (ids, options) =>
            (await commits(client.get(ids, options))).map((task) =>
              lost.has(task?.id ?? "") ? undefined : task,
            ),
        };
      };
    },
  },
];
