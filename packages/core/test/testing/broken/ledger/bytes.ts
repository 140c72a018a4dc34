import type { BodyRef } from "../../../../src/contracts/task.ts";
import { type BrokenLedger, eachClient, keepsOtherwise, settles, told } from "./tools.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** As a column of text would keep it. */
function asText<T extends BodyRef>(body: T): T {
  return body.inline === undefined ? body : { ...body, inline: encoder.encode(decoder.decode(body.inline)) };
}

export const bytes: readonly BrokenLedger[] = [
  {
    fault: "Payloads are kept as text.",
    caughtBy: "a payload comes back byte for byte, to a reader and with its grant",
    plant: keepsOtherwise((task) => ({ ...task, payload: asText(task.payload) })),
  },
  {
    fault: "An empty payload comes back as none.",
    caughtBy: "a payload comes back byte for byte, to a reader and with its grant",
    plant: eachClient((client) =>
      told(client, (task) => {
        if (task.payload.inline?.byteLength !== 0) return task;
        return { ...task, payload: { ...task.payload, inline: undefined } };
      }),
    ),
  },
  {
    fault: "Results are kept as text.",
    caughtBy: "a result comes back byte for byte, with all that describes it",
    plant: settles((item) => (item.kind === "succeeded" ? { ...item, result: asText(item.result) } : item)),
  },
  {
    fault: "Accents are composed.",
    caughtBy: "names and texts come back exactly",
    plant: keepsOtherwise((task) => ({ ...task, query: task.query.normalize("NFC") })),
  },
  {
    fault: "It keeps the caller's own bytes.",
    caughtBy: "what a caller does to its own bytes afterwards changes nothing",
    plant: () => {
      const kept = new Map<string, Uint8Array | undefined>();
      return (client) => ({
        ...client,
        submit: (batch, options) => {
          for (const { id, payload } of batch) kept.set(id, payload.inline);
          return client.submit(batch, options);
        },
        get: async (ids, options) => {
          const tasks = await client.get(ids, options);
          return tasks.map((task) => {
            if (task?.payload.inline?.byteLength !== 3) return task;
            return { ...task, payload: { ...task.payload, inline: kept.get(task.id) } };
          });
        },
      });
    },
  },
];
