import type { CallOutcome, ServerAnswer } from "../contracts/server-protocol.ts";
import type { TaskError } from "../contracts/task.ts";
import type { GatewayErrorCode } from "../errors.ts";

/** What an attempt does next. */
export type Verdict =
  /** Store the answer, then end as succeeded. */
  | { readonly next: "succeed"; readonly answer: ServerAnswer }
  /** Store the answer, then end as failed. */
  | { readonly next: "fail"; readonly answer: ServerAnswer; readonly error: TaskError }
  /** Watch the run that the server works on. */
  | { readonly next: "watch"; readonly runId?: string | undefined; readonly instance?: string | undefined }
  /** Nothing was begun: the task waits on, the server is left alone. */
  | { readonly next: "wait"; readonly error: TaskError; readonly retryAfterMs?: number | undefined }
  /** It may have run, and running it again is harmless. */
  | { readonly next: "try-again"; readonly error: TaskError }
  /** It may have run, and must not run again: find out. */
  | { readonly next: "find-out"; readonly error: TaskError };

const REFUSED: Record<"unreachable" | "starting" | "busy" | "draining", TaskError> = {
  unreachable: sentence("SERVER_UNREACHABLE", "The server could not be reached."),
  starting: sentence("SERVER_BUSY", "The server is starting."),
  busy: sentence("SERVER_BUSY", "The server is busy."),
  draining: sentence("SERVER_BUSY", "The server is draining."),
};

const BROKEN: Record<"reset" | "timeout" | "bad_gateway", TaskError> = {
  reset: sentence("SERVER_BROKE_OFF", "The server broke off after the task was sent."),
  timeout: sentence("SERVER_TIMEOUT", "The server did not answer within the time limit."),
  bad_gateway: sentence(
    "SERVER_BAD_GATEWAY",
    "The server, or something before it, answered that it could not.",
  ),
};

/** An error for a task: a code and a fixed sentence. */
export function sentence(code: GatewayErrorCode, message: string, status?: number): TaskError {
  return status === undefined ? { code, message } : { code, message, status };
}

/** The table of failures: what follows from what came back. Pure. */
export function judge(outcome: CallOutcome, task: { readonly repeatable: boolean }): Verdict {
  switch (outcome.kind) {
    case "done":
      return { next: "succeed", answer: outcome.answer };
    case "rejected": {
      const error = sentence(
        "SERVER_REJECTED",
        "The server refused the task; its answer is kept as the result.",
        outcome.answer.status,
      );
      return { next: "fail", answer: outcome.answer, error };
    }
    case "accepted":
      return { next: "watch", runId: outcome.runId, instance: outcome.instance };
    case "refused":
      return { next: "wait", error: REFUSED[outcome.reason], retryAfterMs: outcome.retryAfterMs };
    case "broken":
      return { next: task.repeatable ? "try-again" : "find-out", error: BROKEN[outcome.reason] };
  }
}
