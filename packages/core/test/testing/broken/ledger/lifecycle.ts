import type { Amendment } from "../../../../src/contracts/ledger.ts";
import { GatewayError } from "../../../../src/errors.ts";
import { type BrokenLedger, eachClient } from "./tools.ts";

const ABORTED = "a call whose signal was aborted before rejects with the signal's reason, and does nothing";

export const lifecycle: readonly BrokenLedger[] = [
  {
    fault: "One method does not look at its signal.",
    caughtBy: ABORTED,
    plant: eachClient((client) => ({
      ...client,
      amend: (batch: readonly Amendment[]) => client.amend(batch),
    })),
  },
  {
    fault: "An aborted call rejects, and takes effect.",
    caughtBy: ABORTED,
    plant: eachClient((client) => ({
      ...client,
      submit: async (batch, options) => {
        if (options?.signal?.aborted) await client.submit(batch);
        return await client.submit(batch, options);
      },
    })),
  },
  {
    fault: "An abort on the way rejects with an error of its own.",
    caughtBy: "a call whose signal is aborted meanwhile ends with the reason, or with its answer",
    plant: eachClient((client) => ({
      ...client,
      stats: async (options) => {
        const stats = await client.stats(options);
        if (options?.signal?.aborted) throw new GatewayError("ADAPTER_FAILED", "aborted");
        return stats;
      },
    })),
  },
  {
    fault: "A closed ledger can still be read.",
    caughtBy: "a closed ledger rejects every call with CLOSED, however often it is closed",
    plant:
      ({ backend }) =>
      (client) => ({ ...client, list: (request, options) => backend.list(request, options) }),
  },
  {
    fault: "A second close rejects.",
    caughtBy: "a closed ledger rejects every call with CLOSED, however often it is closed",
    plant: () => (client) => {
      let isClosed = false;
      return {
        ...client,
        close: async () => {
          if (isClosed) throw new GatewayError("CLOSED", "it is closed");
          isClosed = true;
          await client.close();
        },
      };
    },
  },
];
