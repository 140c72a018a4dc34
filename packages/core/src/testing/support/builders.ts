import type { AttemptRef, Grant, NewTask, ServerWant, Settlement } from "../../contracts/ledger.ts";
import type { ResultRef, TaskError } from "../../contracts/task.ts";

/** What must last outlasts every test, on the slowest machine too. */
export const LONG_MS = 600_000;

/** What must end does so soon. No test relies on being quicker than this. */
export const SHORT_MS = 40;

export const PAYLOAD: Uint8Array = new Uint8Array([1, 2]);

export const RESULT: ResultRef = { sizeBytes: 3, inline: new Uint8Array([7, 8, 9]), status: 200 };

/** A task of lane `m` that may wait for a day. */
export function newTask(id: string, parts: Partial<NewTask> = {}): NewTask {
  return {
    id,
    model: "m",
    operation: "process",
    owner: "",
    query: "",
    repeatable: true,
    background: false,
    maxFailures: 5,
    priority: 5,
    boostMs: 3_600_000,
    waitMs: 86_400_000,
    payload: { sizeBytes: PAYLOAD.byteLength, inline: PAYLOAD },
    ...parts,
  };
}

/** Background work that must not run twice: a training. */
export function newTraining(id: string, parts: Partial<NewTask> = {}): NewTask {
  return newTask(id, { operation: "train", background: true, repeatable: false, ...parts });
}

/** A server of lane `m` with 4 slots. */
export function wantOf(server: string, parts: Partial<ServerWant> = {}): ServerWant {
  return { server, limit: 4, max: 4, models: ["m"], background: true, cost: 0, ...parts };
}

export function refOf({ task, attempt }: Grant): AttemptRef {
  return { id: task.id, attempt };
}

type Parts<Kind extends Settlement["kind"]> = Partial<Omit<Settlement & { kind: Kind }, "kind">>;

export function sent(grant: Grant, parts: Parts<"sent"> = {}): Settlement {
  return { ...refOf(grant), kind: "sent", server: grant.server, ...parts };
}

export function running(grant: Grant, parts: Parts<"running"> = {}): Settlement {
  return { ...refOf(grant), kind: "running", runId: `run of ${grant.task.id}`, ...parts };
}

export function succeeded(grant: Grant, parts: Parts<"succeeded"> = {}): Settlement {
  return { ...refOf(grant), kind: "succeeded", result: RESULT, releaseHold: true, ...parts };
}

export const REFUSED: TaskError = { code: "SERVER_REJECTED", message: "The server refused it.", status: 400 };

export function failed(grant: Grant, parts: Parts<"failed"> = {}): Settlement {
  return { ...refOf(grant), kind: "failed", error: REFUSED, releaseHold: true, ...parts };
}

export function cancelled(grant: Grant, parts: Parts<"cancelled"> = {}): Settlement {
  return { ...refOf(grant), kind: "cancelled", releaseHold: true, ...parts };
}

export function abandoned(grant: Grant): Settlement {
  return { ...refOf(grant), kind: "abandoned" };
}

export const BUSY: TaskError = { code: "SERVER_BUSY", message: "The server is busy." };

export function returned(grant: Grant, parts: Parts<"returned"> = {}): Settlement {
  return {
    ...refOf(grant),
    kind: "returned",
    counts: false,
    delayMs: 0,
    error: BUSY,
    releaseHold: true,
    ...parts,
  };
}
