import type { SweepReply } from "../../../../src/contracts/ledger.ts";
import type { TaskRecord } from "../../../../src/contracts/task.ts";
import type { LedgerFault } from "../../ledger-fixtures.ts";
import { type BrokenLedger, eachClient, nextTurn, tasksIn, tells, told } from "./tools.ts";

const FAILING =
  "what waits in a lane whose server could not be started fails with the error given for it, and only there";

const LIMITED = "a sweep changes no more tasks than its limit, and says so until nothing is left";

function sweeps(change: (reply: SweepReply) => SweepReply): LedgerFault {
  return eachClient((client) => ({
    ...client,
    sweep: async (request, options) => change(await client.sweep(request, options)),
  }));
}

/** What fails with this code while it is delayed is left out. */
function withoutDelayed(code: string): LedgerFault {
  return sweeps((reply) => {
    const isKept = (task: TaskRecord) => task.error?.code !== code || task.notBeforeAtMs === undefined;
    return { ...reply, ended: reply.ended.filter(isKept) };
  });
}

const LONG_MS = 1e12;
const KEPT = { payloadMs: LONG_MS, resultMs: LONG_MS, rowMs: LONG_MS };

/** Tasks whose payload cannot be read any more once `isGone` said so. */
function losingPayloads(isGone: (task: TaskRecord) => boolean): LedgerFault {
  return () => {
    const gone = new Set<string>();
    return (client) => ({
      ...told(client, (task) => {
        return gone.has(task.id) ? { ...task, payload: { ...task.payload, inline: undefined } } : task;
      }),
      sweep: async (request, options) => {
        if (request.retention?.payloadMs === 0)
          for (const task of await tasksIn(client, "pending", "scheduled", "running"))
            if (isGone(task)) gone.add(task.id);
        return await client.sweep(request, options);
      },
    });
  };
}

export const sweeping: readonly BrokenLedger[] = [
  {
    fault: "What is delayed never waits too long.",
    caughtBy: "a task that waits longer than allowed fails with WAIT_DEADLINE, and only if it waits",
    plant: withoutDelayed("WAIT_DEADLINE"),
  },
  {
    fault: "What is delayed needs no server.",
    caughtBy: "what waits in a lane without a server fails with NO_SERVER, and only in such a lane",
    plant: withoutDelayed("NO_SERVER"),
  },
  {
    fault: "What is delayed waits on in a lane whose server could not be started.",
    caughtBy: FAILING,
    plant: withoutDelayed("START_FAILED"),
  },
  {
    fault: "A lane whose server could not be started is one that has none.",
    caughtBy: FAILING,
    plant: eachClient((client) => ({
      ...client,
      sweep: ({ failing = [], unserved, ...request }, options) => {
        return client.sweep(
          { ...request, unserved: [...unserved, ...failing.map(({ model }) => model)] },
          options,
        );
      },
    })),
  },
  {
    fault: "That a lane has no server goes before why none could be started.",
    caughtBy: FAILING,
    plant: eachClient((client) => ({
      ...client,
      sweep: ({ failing = [], ...request }, options) => {
        const rest = failing.filter(({ model }) => !request.unserved.includes(model));
        return client.sweep({ ...request, failing: rest }, options);
      },
    })),
  },
  {
    fault: "All lanes fail for the reason of the first.",
    caughtBy: FAILING,
    plant: eachClient((client) => ({
      ...client,
      sweep: ({ failing = [], ...request }, options) => {
        const same = failing.map(({ model, error }) => ({ model, error: failing[0]?.error ?? error }));
        return client.sweep({ ...request, failing: same }, options);
      },
    })),
  },
  {
    fault: "The words with which a lane failed are cut where no other error is as long.",
    caughtBy: FAILING,
    plant: tells((task) => {
      const { error } = task;
      if (error?.code !== "START_FAILED") return task;
      return { ...task, error: { ...error, message: error.message.slice(0, 1000) } };
    }),
  },
  {
    fault: "Lanes that fail do so whatever the limit.",
    caughtBy: LIMITED,
    plant: eachClient((client) => ({
      ...client,
      sweep: (request, options) => {
        const { failing = [] } = request;
        return client.sweep(failing.length > 0 ? { ...request, limit: 1e9 } : request, options);
      },
    })),
  },
  {
    fault: "A sweep has no limit.",
    caughtBy: LIMITED,
    plant: eachClient((client) => ({
      ...client,
      sweep: (request, options) => client.sweep({ ...request, limit: 1e9 }, options),
    })),
  },
  {
    fault: "A sweep that was cut short does not say so.",
    caughtBy: LIMITED,
    plant: sweeps((reply) => ({ ...reply, more: false })),
  },
  {
    fault: "Two sweeps at once tell the same changes.",
    caughtBy: "several clients may sweep at once: each change is made once and told to one of them",
    plant: () => {
      let sweeping = 0;
      let latest: SweepReply | undefined;
      return (client) => ({
        ...client,
        sweep: async (request, options) => {
          sweeping += 1;
          await nextTurn();
          const isRace = sweeping > 1;
          const reply = await client.sweep(request, options);
          sweeping -= 1;
          const again = isRace ? (latest?.returned ?? []) : [];
          latest = reply;
          return { ...reply, returned: [...reply.returned, ...again] };
        },
      });
    },
  },
  {
    fault: "A payload that is forgotten can still be read.",
    caughtBy: "a payload is forgotten when its age is over, and nothing else",
    plant: () => {
      const payloads = new Map<string, Uint8Array | undefined>();
      return (client) => ({
        ...client,
        submit: (batch, options) => {
          for (const { id, payload } of batch) payloads.set(id, payload.inline);
          return client.submit(batch, options);
        },
        get: async (ids, options) =>
          (await client.get(ids, options)).map((task) => {
            if (options?.bodies !== "payload" || task?.payload.isForgotten !== true) return task;
            return { ...task, payload: { ...task.payload, inline: payloads.get(task.id) } };
          }),
      });
    },
  },
  {
    fault: "A result that is forgotten does not say so.",
    caughtBy: "a result is forgotten when its age is over, and nothing else",
    plant: eachClient((client) =>
      told(client, (task) => {
        if (task.result?.isForgotten !== true) return task;
        return { ...task, result: { ...task.result, isForgotten: undefined } };
      }),
    ),
  },
  {
    fault: "A row that is forgotten stays in the listing.",
    caughtBy: "a row is forgotten when its age is over",
    plant: () => {
      const removed = new Map<string, TaskRecord>();
      return (client) => ({
        ...client,
        sweep: async (request, options) => {
          if (request.retention?.rowMs === 0)
            for (const task of await tasksIn(client, "succeeded")) removed.set(task.id, task);
          return await client.sweep(request, options);
        },
        list: async (request = {}, options) => {
          const page = await client.list(request, options);
          if (request.limit !== undefined || request.filter !== undefined) return page;
          return { ...page, items: [...page.items, ...removed.values()] };
        },
      });
    },
  },
  {
    fault: "Ages count from when the task was accepted.",
    caughtBy: "ages count from the ending",
    plant: ({ clock }) => {
      const removed = new Set<string>();
      return (client) => ({
        ...client,
        sweep: async (request, options) => {
          const rowMs = request.retention?.rowMs ?? 0;
          if (rowMs > 0)
            for (const task of await tasksIn(client, "cancelled"))
              if (task.createdAtMs + rowMs <= clock.now()) removed.add(task.id);
          return await client.sweep(request, options);
        },
        get: async (ids, options) =>
          (await client.get(ids, options)).map((task) => (removed.has(task?.id ?? "") ? undefined : task)),
      });
    },
  },
  {
    fault: "Retention forgets the payload of a task that runs.",
    caughtBy: "nothing of a task that has not ended is forgotten",
    plant: losingPayloads(({ state }) => state === "running"),
  },
  {
    fault: "Retention forgets the payload of a task that waits.",
    caughtBy: "nothing of a task that has not ended is forgotten",
    plant: losingPayloads(({ state }) => state === "pending"),
  },
  {
    fault: "Without ages payloads are forgotten at once.",
    caughtBy: "without ages nothing is forgotten",
    plant: eachClient((client) => ({
      ...client,
      sweep: async (request, options) => {
        const reply = await client.sweep(request, options);
        if (request.retention === undefined)
          await client.sweep({ limit: 1000, unserved: [], retention: { ...KEPT, payloadMs: 0 } });
        return reply;
      },
    })),
  },
  {
    fault: "Objects are named again by every sweep.",
    caughtBy: "an object is named once, when the row that names it forgets it",
    plant: () => {
      const named = new Set<string>();
      return (client) => ({
        ...client,
        sweep: async (request, options) => {
          const reply = await client.sweep(request, options);
          for (const key of reply.unreferencedKeys) named.add(key);
          return { ...reply, unreferencedKeys: [...named] };
        },
      });
    },
  },
];
