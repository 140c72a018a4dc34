import type { IdempotencyRef, NewTask, SubmitOutcome } from "../../../../src/contracts/ledger.ts";
import { GatewayError } from "../../../../src/errors.ts";
import type { LedgerFault } from "../../ledger-fixtures.ts";
import { type BrokenLedger, eachClient, keepsOtherwise, nextTurn } from "./tools.ts";

function withoutKey(task: NewTask): NewTask {
  return { ...task, idempotency: undefined };
}

function keyedOtherwise(change: (key: IdempotencyRef) => Partial<IdempotencyRef>): LedgerFault {
  return keepsOtherwise((task) => {
    const { idempotency } = task;
    return idempotency === undefined
      ? task
      : { ...task, idempotency: { ...idempotency, ...change(idempotency) } };
  });
}

function mismatch(): SubmitOutcome {
  const error = new GatewayError("IDEMPOTENCY_MISMATCH", "the key was used for another request");
  return { outcome: "refused", error };
}

function nameOf({ owner, model, operation, idempotency }: NewTask): string {
  return JSON.stringify([owner, model, operation, idempotency?.key]);
}

export const idempotency: readonly BrokenLedger[] = [
  {
    fault: "A duplicate is told, and its row is kept all the same.",
    caughtBy:
      "a request repeated under its idempotency key is a duplicate of its task, and nothing of it is kept",
    plant: eachClient((client) => ({
      ...client,
      submit: async (batch, options) => {
        const outcomes = await client.submit(batch, options);
        await client.submit(batch.filter((_, at) => outcomes[at]?.outcome === "duplicate").map(withoutKey));
        return outcomes;
      },
    })),
  },
  {
    fault: "It looks at the key and not at the digest.",
    caughtBy: "an idempotency key that comes with another digest is refused, and nothing of the item is kept",
    plant: keyedOtherwise(({ digest }) => {
      return { digest: digest.length > 0 && digest.length <= 128 ? "any" : digest };
    }),
  },
  {
    fault: "A key is unique over all owners.",
    caughtBy: "an idempotency key counts for one owner, model and operation only",
    plant: () => {
      const first = new Map<string, NewTask>();
      return (client) => ({
        ...client,
        submit: async (batch, options) => {
          const [task] = batch;
          const name = JSON.stringify([task?.model, task?.operation, task?.idempotency?.key]);
          const known = first.get(name);
          if (task?.idempotency !== undefined && known === undefined) first.set(name, task);
          if (known === undefined || known.owner === task?.owner) return await client.submit(batch, options);
          const [earlier] = await client.get([known.id]);
          return earlier === undefined ? [mismatch()] : [{ outcome: "duplicate", task: earlier }];
        },
      });
    },
  },
  {
    fault: "Keys are looked up before the batch is written, so that two of one batch do not meet.",
    caughtBy: "two items of one batch under one idempotency key make one task",
    plant: eachClient((client) => ({
      ...client,
      submit: (batch, options) => {
        const names = batch.map(nameOf);
        const isFirst = (task: NewTask, at: number) =>
          at === 0 || batch[0]?.id === task.id || names[0] !== names[at];
        return client.submit(
          batch.map((task, at) => (isFirst(task, at) ? task : withoutKey(task))),
          options,
        );
      },
    })),
  },
  {
    fault: "A key is forgotten when its task ends.",
    caughtBy: "an idempotency key stands for its task also when that has ended",
    plant: eachClient((client) => ({
      ...client,
      submit: async (batch, options) => {
        const outcomes = await client.submit(batch, options);
        const [only] = outcomes;
        if (only?.outcome !== "duplicate" || only.task.finishedAtMs === undefined) return outcomes;
        return await client.submit(batch.map(withoutKey));
      },
    })),
  },
  {
    fault: "Two that come at the same time do not see each other's key.",
    caughtBy: "requests under one idempotency key that several clients send at once make one task",
    plant: () => {
      const underWay = new Set<string>();
      return (client) => ({
        ...client,
        submit: async (batch, options) => {
          const [task] = batch;
          if (task?.idempotency === undefined) return await client.submit(batch, options);
          const name = nameOf(task);
          const isRace = underWay.has(name);
          underWay.add(name);
          await nextTurn();
          underWay.delete(name);
          return await client.submit(isRace ? batch.map(withoutKey) : batch, options);
        },
      });
    },
  },
  {
    fault: "A key is never forgotten.",
    caughtBy: "an idempotency key is forgotten when its time is over, and may then be used anew",
    plant: () => {
      const first = new Map<string, NewTask>();
      return (client) => ({
        ...client,
        submit: async (batch, options) => {
          const [task] = batch;
          const known = task?.idempotency && first.get(nameOf(task));
          const isOther = known?.idempotency?.digest !== task?.idempotency?.digest;
          if (known !== undefined && known.id !== task?.id && isOther) return [mismatch()];
          const outcomes = await client.submit(batch, options);
          for (const [at, each] of batch.entries())
            if (outcomes[at]?.outcome === "accepted") first.set(nameOf(each), each);
          return outcomes;
        },
      });
    },
  },
  {
    fault: "Retention removes rows whose key is remembered.",
    caughtBy: "the row of a task stays as long as its idempotency key, whatever its age",
    plant: () => {
      const keyed = new Set<string>();
      const removed = new Set<string>();
      return (client) => ({
        ...client,
        submit: (batch, options) => {
          for (const task of batch) if (task.idempotency !== undefined) keyed.add(task.id);
          return client.submit(batch, options);
        },
        sweep: async (request, options) => {
          const found = await client.get([...keyed]);
          for (const task of found)
            if (request.retention?.rowMs === 0 && task?.finishedAtMs !== undefined) removed.add(task.id);
          return await client.sweep(request, options);
        },
        get: async (ids, options) =>
          (await client.get(ids, options)).map((task) => (removed.has(task?.id ?? "") ? undefined : task)),
      });
    },
  },
  {
    fault: "A task is a duplicate of itself.",
    caughtBy: "a task that is submitted again by its own id is accepted, and no duplicate of itself",
    plant: () => {
      const known = new Set<string>();
      return (client) => ({
        ...client,
        submit: async (batch, options) => {
          const outcomes = await client.submit(batch, options);
          return outcomes.map((item, at) => {
            const task = batch[at];
            if (item.outcome !== "accepted" || task?.idempotency === undefined) return item;
            const isAgain = known.has(task.id);
            known.add(task.id);
            return isAgain ? { outcome: "duplicate", task: item.task } : item;
          });
        },
      });
    },
  },
  {
    fault: "The key of a refused item is remembered.",
    caughtBy: "an item that is refused leaves its idempotency key free",
    plant: () => {
      const burnt = new Map<string, string>();
      return (client) => ({
        ...client,
        submit: async (batch, options) => {
          const outcomes = await client.submit(batch, options);
          return outcomes.map((item, at) => {
            const task = batch[at];
            if (task?.idempotency === undefined) return item;
            if (item.outcome === "refused" && task.id.includes(" ")) burnt.set(nameOf(task), task.id);
            return item.outcome === "accepted" && burnt.has(nameOf(task)) ? mismatch() : item;
          });
        },
      });
    },
  },
  {
    fault: "A key that is too long is cut.",
    caughtBy: "an idempotency key has 1 to 255 characters, and its digest 1 to 128",
    plant: keyedOtherwise(({ key }) => ({ key: key.slice(0, 255) })),
  },
  {
    fault: "Keys are compared without regard to case.",
    caughtBy: "idempotency keys that differ in case, spaces, accents or signs are different keys",
    plant: keyedOtherwise(({ key }) => ({ key: key.toLowerCase() })),
  },
  {
    fault: "Keys are kept in memory only.",
    caughtBy: "an idempotency key is remembered when the ledger is opened again",
    plant: () => (client, reopenings) => ({
      ...client,
      submit: (batch, options) => client.submit(reopenings === 0 ? batch : batch.map(withoutKey), options),
    }),
  },
];
