import type { CallOutcome, RunReport, ServerAnswer } from "../contracts/server-protocol.ts";
import { streamOf } from "../tasks/body.ts";
import { collectBytes } from "./collect-bytes.ts";

/** Ended runs that are remembered for whoever still asks. */
const REMEMBERED = 1000;

interface Run {
  readonly server: string;
  readonly taskId: string;
  readonly runId: string;
  readonly controller: AbortController;
  state: "active" | "succeeded" | "failed";
  /** The answer, kept so that it can be read more than once. */
  document: { readonly answer: Omit<ServerAnswer, "body">; readonly bytes: Uint8Array } | undefined;
}

interface RunName {
  readonly taskId?: string | undefined;
  readonly runId?: string | undefined;
}

/** Background work of functions: at most one run on each server. */
export class MemoryRuns {
  readonly #active = new Map<string, Run>();
  /** In the order of their endings. */
  readonly #ended = new Set<Run>();
  #begun = 0;
  #hasForgotten = false;

  /** The run that keeps the server busy. */
  activeOn(server: string): string | undefined {
    return this.#active.get(server)?.runId;
  }

  begin(server: string, taskId: string, work: (signal: AbortSignal) => Promise<CallOutcome>): string {
    this.#begun += 1;
    const controller = new AbortController();
    const run: Run = {
      ...{ server, taskId, controller, runId: `run-${this.#begun}` },
      ...{ state: "active", document: undefined },
    };
    this.#active.set(server, run);
    void this.#follow(run, work);
    return run.runId;
  }

  find(server: string, name: RunName): RunReport {
    const idle = !this.#active.has(server);
    const run = this.#named(server, name);
    if (run === undefined) return { run: this.#hasForgotten ? "unclear" : "none", idle };
    const document = run.document && { ...run.document.answer, body: streamOf(run.document.bytes) };
    return { run: run.state, runId: run.runId, document, idle };
  }

  /** Whether there was something to cancel. The run ends when its function does. */
  cancel(server: string, name: RunName): boolean {
    const run = this.#named(server, name);
    if (run?.state !== "active") return false;
    run.controller.abort(new Error("the run was cancelled"));
    return true;
  }

  cancelAll(reason: unknown): void {
    for (const run of this.#active.values()) run.controller.abort(reason);
  }

  async #follow(run: Run, work: (signal: AbortSignal) => Promise<CallOutcome>): Promise<void> {
    let state: "succeeded" | "failed" = "failed";
    try {
      const outcome = await work(run.controller.signal);
      if (outcome.kind === "done" || outcome.kind === "rejected") {
        const { body, ...answer } = outcome.answer;
        run.document = { answer, bytes: await collectBytes(body) };
        if (outcome.kind === "done") state = "succeeded";
      }
    } catch {
      // A function that was cancelled, or whose answer broke off: there is no document to tell of.
    }
    run.state = state;
    this.#active.delete(run.server);
    this.#ended.add(run);
    for (const oldest of this.#ended) {
      if (this.#ended.size <= REMEMBERED) break;
      this.#ended.delete(oldest);
      this.#hasForgotten = true;
    }
  }

  #named(server: string, { taskId, runId }: RunName): Run | undefined {
    const isNamed = (run: Run): boolean => {
      return run.server === server && (runId === undefined ? run.taskId === taskId : run.runId === runId);
    };
    const active = this.#active.get(server);
    if (active !== undefined && isNamed(active)) return active;
    let latest: Run | undefined;
    for (const run of this.#ended) if (isNamed(run)) latest = run;
    return latest;
  }
}
