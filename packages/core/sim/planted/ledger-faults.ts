import type { Ledger, NewTask } from "../../src/contracts/ledger.ts";
import type { TaskRecord } from "../../src/contracts/task.ts";
import { GatewayError } from "../../src/errors.ts";
import { refusalOf } from "../../src/tasks/validate-task.ts";
import type { PlantedFault } from "./planted-fault.ts";

const BOTH = ["native", "composed"] as const;

/** How much later than promised something happens. */
const LATE_MS = 400;

function pretendRecord(task: NewTask, nowMs: number): TaskRecord {
  const { boostMs, waitMs, ...identity } = task;
  return {
    ...identity,
    ...{ createdAtMs: nowMs, deadlineAtMs: nowMs + waitMs, rank: nowMs - task.priority * boostMs },
    ...{ state: "pending", attempt: 0, failures: 0, lostAttempts: 0, recovering: false },
  };
}

/** Faults of whoever speaks to a ledger or an object store. */
export const LEDGER_FAULTS: readonly PlantedFault[] = [
  {
    name: "result-after-state",
    says: "A result is named while it is still on its way to the object store.",
    ledgers: BOTH,
    breaks: ["result-after-state"],
    wrap: {
      objects: (objects, { time, process }) => ({
        ...objects,
        async put(key, body, options) {
          if (!key.startsWith("results/")) return await objects.put(key, body, options);
          let sizeBytes = 0;
          const chunks: Uint8Array[] = [];
          for await (const chunk of body) {
            chunks.push(chunk);
            sizeBytes += chunk.byteLength;
          }
          async function* again(): AsyncGenerator<Uint8Array> {
            yield* chunks;
          }
          time.after(LATE_MS, () => {
            process.deliver(() => void objects.put(key, again(), options).catch(() => {}));
          });
          return { key, sizeBytes, modifiedAtMs: 0 };
        },
      }),
    },
  },
  {
    name: "no-reconciler",
    says: "Nobody takes back what a dead runner held.",
    ledgers: BOTH,
    breaks: ["no-ending", "leaked"],
    wrap: {
      ledger: (ledger): Ledger => ({
        ...ledger,
        sweep: async () => ({ returned: [], ended: [], unreferencedKeys: [], more: false }),
      }),
    },
  },
  {
    name: "lease-never-renewed",
    says: "Renewals never reach the ledger, and the runner believes that they do.",
    ledgers: BOTH,
    breaks: ["live-lease-lost", "sent-without-lease", "failed-for-waiting"],
    wrap: {
      ledger: (ledger): Ledger => ({
        ...ledger,
        async exchange(request, options) {
          const reply = await ledger.exchange({ ...request, renew: [] }, options);
          return { ...reply, renewed: request.renew.map(() => ({ outcome: "accepted" as const })) };
        },
      }),
    },
  },
  {
    name: "slot-counted-locally",
    says: "Each process only keeps to the limit by its own count.",
    ledgers: BOTH,
    breaks: ["over-limit", "calls-over-limit"],
    wrap: {
      ledger: (ledger): Ledger => ({
        ...ledger,
        exchange: (request, options) =>
          ledger.exchange(
            { ...request, want: request.want.map((want) => ({ ...want, limit: want.limit * 4 })) },
            options,
          ),
      }),
    },
  },
  {
    name: "accepted-before-durable",
    says: "A submit is answered while it is still on its way to the store.",
    ledgers: BOTH,
    breaks: ["lost-task"],
    wrap: {
      ledger: (ledger, { process, time }): Ledger => ({
        ...ledger,
        async submit(batch, options) {
          time.after(LATE_MS, () =>
            process.deliver(() => void ledger.submit(batch, options).catch(() => {})),
          );
          return batch.map((task) => {
            const error = refusalOf(task);
            if (error !== undefined) return { outcome: "refused", error } as const;
            return { outcome: "accepted", task: pretendRecord(task, process.clock.now()) } as const;
          });
        },
      }),
    },
  },
  {
    name: "batch-fails-as-one",
    says: "One bad item makes a whole batch fail.",
    ledgers: BOTH,
    breaks: ["batch-harmed"],
    wrap: {
      ledger: (ledger): Ledger => ({
        ...ledger,
        async submit(batch, options) {
          if (batch.every((task) => refusalOf(task) === undefined))
            return await ledger.submit(batch, options);
          const error = new GatewayError("INVALID_REQUEST", "the batch holds a bad item");
          return batch.map(() => ({ outcome: "refused", error }));
        },
      }),
    },
  },
];
