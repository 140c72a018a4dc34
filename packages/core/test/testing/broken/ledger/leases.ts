import type { ExchangeReply } from "../../../../src/contracts/ledger.ts";
import type { TaskRecord } from "../../../../src/contracts/task.ts";
import {
  around,
  type BrokenLedger,
  countingMore,
  eachClient,
  exchanges,
  nextTurn,
  tasksIn,
  tells,
  told,
} from "./tools.ts";

const RECOVERED = "what was sent and must not be sent twice is recovered after its lease, never run again";
const AS_BEFORE = "a recovering attempt keeps server, run and the time of sending, and takes no slot";
const COUNTED = "a lease that ends after its payload had begun to leave counts as a failure";

export const leases: readonly BrokenLedger[] = [
  {
    fault: "No renewal lasts longer than the first lease.",
    caughtBy: "a renewed lease lasts from its renewal",
    plant: () => {
      const first = new Map<string, number>();
      return (client) =>
        around(client, async (request, next) => {
          const longest = first.get(request.runner) ?? request.leaseMs;
          const isRenewal = request.renew.length > 0;
          const reply = await next(
            isRenewal ? { ...request, leaseMs: Math.min(longest, request.leaseMs) } : request,
          );
          if (reply.grants.length > 0) first.set(request.runner, request.leaseMs);
          return reply;
        });
    },
  },
  {
    fault: "A lost lease is a failure of its task.",
    caughtBy: "a task whose lease has ended is taken back by a sweep, and that is no failure of it",
    plant: tells((task) => ({ ...task, failures: Math.max(task.failures, task.lostAttempts) })),
  },
  {
    fault: "Renewals do not tell what was sent.",
    caughtBy: COUNTED,
    plant: exchanges((request) => ({
      ...request,
      renew: request.renew.map((item) => ({ ...item, sent: false })),
    })),
  },
  {
    fault: "What fails for good with its lease is told as waiting again.",
    caughtBy: COUNTED,
    plant: eachClient((client) => ({
      ...client,
      sweep: async (request, options) => {
        const reply = await client.sweep(request, options);
        const isLost = ({ attempt, state }: TaskRecord) => attempt > 0 && state === "failed";
        const lost = reply.ended.filter((task) => isLost(task) && task.error?.code === "ATTEMPTS_EXHAUSTED");
        const ended = reply.ended.filter((task) => !lost.includes(task));
        return { ...reply, returned: [...reply.returned, ...lost], ended };
      },
    })),
  },
  {
    fault: "A requested cancel is forgotten with the lease.",
    caughtBy: "a task whose cancel was requested ends when its lease has ended",
    plant: eachClient((client) => ({
      ...client,
      sweep: async (request, options) => {
        const reply = await client.sweep(request, options);
        const back = reply.ended.filter(({ state }) => state === "cancelled");
        const returned = [
          ...reply.returned,
          ...back.map((task): TaskRecord => ({ ...task, state: "pending" })),
        ];
        return { ...reply, returned, ended: reply.ended.filter((task) => !back.includes(task)) };
      },
    })),
  },
  {
    fault: "What was sent goes back to its lane, whatever it is.",
    caughtBy: RECOVERED,
    plant: () => {
      const once = new Set<string>();
      return (client) =>
        told(
          {
            ...client,
            submit: (batch, options) => {
              for (const { id, repeatable } of batch) if (!repeatable) once.add(id);
              return client.submit(
                batch.map((task) => ({ ...task, repeatable: true })),
                options,
              );
            },
          },
          (task) => ({ ...task, repeatable: !once.has(task.id) }),
        );
    },
  },
  {
    fault: "A recovering attempt takes a slot.",
    caughtBy: AS_BEFORE,
    plant: countingMore(async (client, server, { recover }) => {
      const orphans = (await tasksIn(client, "running", "scheduled")).filter(
        ({ holder }) => holder === undefined,
      );
      return recover > 0 ? orphans.filter((task) => task.server === server).length : 0;
    }),
  },
  {
    fault: "A recovering attempt does not know the run.",
    caughtBy: AS_BEFORE,
    plant: tells((task) => (task.recovering ? { ...task, runId: undefined } : task)),
  },
  {
    fault: "Who recovers anything recovers everything.",
    caughtBy: "an exchange recovers no more than it asks for, and nothing unasked",
    plant: exchanges((request) => ({ ...request, recover: request.recover > 0 ? 99 : 0 })),
  },
  {
    fault: "Two that ask at once recover the same tasks.",
    caughtBy: "a task to be recovered goes to one of many runners that ask at once",
    plant: () => {
      let asking = 0;
      let latest: ExchangeReply | undefined;
      return (client) =>
        around(client, async (request, next) => {
          if (request.recover === 0) return await next(request);
          asking += 1;
          await nextTurn();
          const isRace = asking > 1;
          const reply = await next(request);
          asking -= 1;
          const again = isRace ? (latest?.grants ?? []) : [];
          latest = reply;
          return { ...reply, grants: [...reply.grants, ...again] };
        });
    },
  },
  {
    fault: "A recovery that is lost is lost for good.",
    caughtBy: "a recovering attempt whose lease ends leaves its task to be recovered again",
    plant: () => {
      const recovered = new Set<string>();
      const lost = new Set<string>();
      return (client) => ({
        ...around(client, async (request, next) => {
          const reply = await next(request);
          const grants = reply.grants.filter(({ task }) => !lost.has(task.id));
          for (const { kind, task } of grants) if (kind === "recover") recovered.add(task.id);
          return { ...reply, grants };
        }),
        sweep: (request, options) => {
          for (const id of recovered) lost.add(id);
          return client.sweep(request, options);
        },
      });
    },
  },
  {
    fault: "What is abandoned waits for a recovery, although nothing was sent.",
    caughtBy: "work that is abandoned before it was sent is granted again",
    plant: () => {
      const stuck = new Set<string>();
      return (client) =>
        around(client, async (request, next) => {
          const tasks = await client.get(request.settle.map(({ id }) => id));
          for (const [at, { kind }] of request.settle.entries()) {
            const task = tasks[at];
            if (kind === "abandoned" && request.settle.length === 1 && task?.sentAtMs === undefined)
              stuck.add(task?.id ?? "");
          }
          const reply = await next(request);
          return { ...reply, grants: reply.grants.filter(({ task }) => !stuck.has(task.id)) };
        });
    },
  },
];
