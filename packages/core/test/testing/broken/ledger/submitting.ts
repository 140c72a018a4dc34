import type { NewTask, SubmitOutcome } from "../../../../src/contracts/ledger.ts";
import { GatewayError } from "../../../../src/errors.ts";
import { type BrokenLedger, eachClient, keepsOtherwise, nextTurn, tells } from "./tools.ts";

const BULK = 32;

function inIdOrder(outcomes: readonly SubmitOutcome[]): SubmitOutcome[] {
  const idOf = (item: SubmitOutcome) => (item.outcome === "refused" ? "" : item.task.id);
  return [...outcomes].sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
}

export const submitting: readonly BrokenLedger[] = [
  {
    fault: "It does not keep which task is tried again.",
    caughtBy: "an accepted task waits, and every client reads it back as it was given",
    plant: tells((task) => ({ ...task, retryOf: undefined })),
  },
  {
    fault: "A large batch is inserted in bulk, and its outcomes come in the order of the index.",
    caughtBy: "each item of a batch gets its outcome, in order",
    plant: eachClient((client) => ({
      ...client,
      submit: async (batch, options) => {
        const outcomes = await client.submit(batch, options);
        return batch.length > BULK ? inIdOrder(outcomes) : outcomes;
      },
    })),
  },
  {
    fault: "An id that is submitted again changes its task.",
    caughtBy: "an id that is submitted again is accepted, and nothing of its task changes",
    plant: () => {
      const known = new Set<string>();
      return (client) => ({
        ...client,
        submit: async (batch, options) => {
          const again = batch.filter(({ id }) => known.has(id));
          for (const { id } of batch) known.add(id);
          const wishOf = ({ id, priority, boostMs }: NewTask) =>
            ({ id, priority, boostMs, kind: "reprioritise" }) as const;
          if (again.length > 0) await client.amend(again.map(wishOf));
          return await client.submit(batch, options);
        },
      });
    },
  },
  {
    fault: "The id of another task is accepted for the same.",
    caughtBy: "an id that is another task's is refused",
    plant: eachClient((client) => ({
      ...client,
      submit: async (batch, options) => {
        const outcomes = await client.submit(batch, options);
        const known = await client.get(batch.map(({ id }) => id));
        return outcomes.map((item, at) => {
          const task = known[at];
          const isTaken = item.outcome === "refused" && item.error.code === "INVALID_REQUEST";
          return isTaken && task !== undefined ? { outcome: "accepted", task } : item;
        });
      },
    })),
  },
  {
    fault: "Two inserts of one id at the same time make one of them fail.",
    caughtBy: "an id that several clients submit at once makes one task",
    plant: () => {
      const underWay = new Set<string>();
      return (client) => ({
        ...client,
        submit: async (batch, options) => {
          if (batch.some(({ id }) => underWay.has(id)))
            throw new GatewayError("ADAPTER_FAILED", "duplicate key");
          for (const { id } of batch) underWay.add(id);
          if (batch.length > 1 && batch.length < BULK) await nextTurn();
          try {
            return await client.submit(batch, options);
          } finally {
            for (const { id } of batch) underWay.delete(id);
          }
        },
      });
    },
  },
  {
    fault: "A priority that is out of range is cut to the range.",
    caughtBy: "a bad item of a batch is refused alone, and nothing of it is kept",
    plant: keepsOtherwise((task) => {
      return Number.isNaN(task.priority)
        ? task
        : { ...task, priority: Math.min(10, Math.max(0, task.priority)) };
    }),
  },
  {
    fault: "A bad priority makes the whole batch fail.",
    caughtBy: "a bad item of a batch is refused alone, and nothing of it is kept",
    plant: eachClient((client) => ({
      ...client,
      submit: async (batch, options) => {
        if (batch.some(({ priority }) => !Number.isInteger(priority)))
          throw new GatewayError("ADAPTER_FAILED", "invalid input syntax for type integer");
        return await client.submit(batch, options);
      },
    })),
  },
  {
    fault: "A NUL ends the text.",
    caughtBy: "a text that cannot be stored makes its own item refused, or comes back exactly",
    plant: keepsOtherwise((task) => ({ ...task, owner: task.owner.split("\0")[0] ?? "" })),
  },
  {
    fault: "A NUL makes the whole batch fail.",
    caughtBy: "a text that cannot be stored makes its own item refused, or comes back exactly",
    plant: eachClient((client) => ({
      ...client,
      submit: async (batch, options) => {
        if (JSON.stringify(batch).includes("\\u0000"))
          throw new GatewayError("ADAPTER_FAILED", "invalid byte sequence");
        return await client.submit(batch, options);
      },
    })),
  },
  {
    fault: "A payload that is too large for a row makes the whole batch be refused.",
    caughtBy: "what is too large to be stored makes its own item refused, or comes back exactly",
    plant: eachClient((client) => ({
      ...client,
      submit: async (batch, options) => {
        if (!batch.some(({ payload }) => payload.sizeBytes > 2 ** 20 && payload.inline !== undefined))
          return await client.submit(batch, options);
        const error = new GatewayError("INVALID_REQUEST", "too large");
        return batch.map(() => ({ outcome: "refused", error }));
      },
    })),
  },
  {
    fault: "A settlement with a NUL makes the whole exchange fail.",
    caughtBy: "a settlement that cannot be stored is refused alone, and its attempt still holds the task",
    plant: eachClient((client) => ({
      ...client,
      exchange: async (request, options) => {
        if (JSON.stringify(request.settle).includes("\\u0000"))
          throw new GatewayError("ADAPTER_FAILED", "invalid byte sequence");
        return await client.exchange(request, options);
      },
    })),
  },
  {
    fault: "It is answered before what was submitted can be granted.",
    caughtBy: "an exchange sees what was submitted right before it",
    plant: eachClient((client) => ({
      ...client,
      submit: async (batch, options) => {
        await nextTurn();
        return await client.submit(batch, options);
      },
    })),
  },
];
