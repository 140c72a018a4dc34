import type { Grant } from "../../../../src/contracts/ledger.ts";
import {
  around,
  type BrokenLedger,
  countingMore,
  eachClient,
  exchanges,
  nextTurn,
  renamed,
  tasksIn,
  told,
  wants,
} from "./tools.ts";

const LIMITS = "a server's limit holds over all runners and clients, also when they all ask at once";

/** The highest attempt that a small column holds. */
const HIGHEST = 3;

export const granting: readonly BrokenLedger[] = [
  {
    fault: "A grant shows the task as it was before.",
    caughtBy: "a grant hands over the task, which is scheduled now, its attempt and a server",
    plant: eachClient((client) =>
      around(client, async (request, next) => {
        const reply = await next(request);
        const before = ({ task, ...grant }: Grant): Grant => ({
          ...grant,
          task: { ...task, state: "pending" },
        });
        return { ...reply, grants: reply.grants.map(before) };
      }),
    ),
  },
  {
    fault: "Attempts are counted up to a bound.",
    caughtBy: "every grant of a task mints the next attempt, which begins anew, and the first start stays",
    plant: eachClient((client) =>
      around(client, async (request, next) => {
        const reply = await next(request);
        const bounded = (grant: Grant) => ({ ...grant, attempt: Math.min(HIGHEST, grant.attempt) });
        return { ...reply, grants: reply.grants.map(bounded) };
      }),
    ),
  },
  {
    fault: "Names of lanes are compared without regard to case.",
    caughtBy: "a server is given tasks of the lanes that it serves, whose names are told apart exactly",
    plant: () => {
      const models = new Map<string, string>();
      return (client) =>
        told(
          {
            ...client,
            submit: (batch, options) => {
              for (const { id, model } of batch) models.set(id, model);
              return client.submit(
                batch.map((task) => ({ ...task, model: task.model.toLowerCase() })),
                options,
              );
            },
            exchange: (request, options) => {
              const lower = (names: readonly string[]) => names.map((name) => name.toLowerCase());
              const want = request.want.map((each) => ({ ...each, models: lower(each.models) }));
              return client.exchange({ ...request, want }, options);
            },
          },
          (task) => ({ ...task, model: models.get(task.id) ?? task.model }),
        );
    },
  },
  {
    fault: "One more is granted than may be started.",
    caughtBy: "a server is given no more in one exchange than it may start now",
    plant: wants((want) => (want.max > 1 ? { ...want, max: want.max + 1 } : want)),
  },
  {
    fault: "Slots are counted before the settlements.",
    caughtBy: "a slot that an exchange frees is granted by the same exchange",
    plant: countingMore((_client, _server, { settle }) => {
      return settle.filter(({ kind }) => kind === "succeeded").length;
    }),
  },
  {
    fault: "It pays no regard to cost.",
    caughtBy: "of servers with equal load the one of the lowest cost is given the task",
    plant: wants((want) => ({ ...want, cost: 0 })),
  },
  {
    fault: "Every server is given background work.",
    caughtBy: "background work goes only to a server that wants it",
    plant: wants((want) => ({ ...want, background: true })),
  },
  {
    fault: "Background work takes a slot beside its hold.",
    caughtBy: "background work takes no slot, and other work no hold",
    plant: countingMore(async (client, server) => {
      const held = await tasksIn(client, "scheduled", "running");
      return held.filter((task) => task.background && task.server === server && task.holder !== undefined)
        .length;
    }),
  },
  {
    fault: "No more than a page of a lane is read.",
    caughtBy: "an exchange grants as many tasks as there is room for",
    plant: wants((want) => ({ ...want, max: Math.min(256, want.max) })),
  },
  {
    fault: "Two that ask at once for different servers are given the same tasks.",
    caughtBy: "a task goes to one of many runners that ask at once",
    plant: () => {
      let asking = 0;
      let latest: readonly Grant[] = [];
      return (client) =>
        around(client, async (request, next) => {
          asking += 1;
          await nextTurn();
          const isRace = asking > 1;
          const reply = await next(request);
          asking -= 1;
          const [want] = request.want;
          const others = isRace
            ? latest.filter(({ server }) => want !== undefined && server !== want.server)
            : [];
          latest = reply.grants;
          const again = others.filter(({ task }) => !task.background && task.model === want?.models[0]);
          return { ...reply, grants: [...reply.grants, ...again] };
        });
    },
  },
  {
    fault: "Only the slots of the same runner are counted.",
    caughtBy: LIMITS,
    plant: eachClient((client) =>
      told(
        around(client, async (request, next) => {
          const want = request.want.flatMap((each) => [
            { ...each, server: `${each.server}~${request.runner}`, background: false },
            { ...each, max: 0 },
          ]);
          const reply = await next({ ...request, want });
          return { ...reply, grants: reply.grants.map((grant) => renamed(grant)) };
        }),
        (task) => ({ ...task, server: task.server?.split("~")[0] }),
      ),
    ),
  },
  {
    fault: "Slots are counted before the transaction that grants.",
    caughtBy: LIMITS,
    plant: () => {
      const asking = new Map<string, number>();
      return (client) =>
        around(client, async (request, next) => {
          const servers = request.want.map(({ server }) => server);
          for (const server of servers) asking.set(server, (asking.get(server) ?? 0) + 1);
          await nextTurn();
          const want = request.want.map((each) => ({
            ...each,
            limit: each.limit * (asking.get(each.server) ?? 1),
          }));
          const reply = await next({ ...request, want });
          for (const server of servers) asking.set(server, (asking.get(server) ?? 1) - 1);
          return reply;
        });
    },
  },
  {
    fault: "A server that is named twice has twice its slots.",
    caughtBy: LIMITS,
    plant: exchanges((request) => {
      const times = (server: string) => request.want.filter((each) => each.server === server).length;
      return {
        ...request,
        want: request.want.map((each) => ({ ...each, limit: each.limit * times(each.server) })),
      };
    }),
  },
];
