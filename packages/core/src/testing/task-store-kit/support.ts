import assert from "node:assert/strict";
import type { Grant } from "../../contracts/ledger.ts";
import type {
  ApplyReply,
  ApplyRequest,
  Claim,
  ClaimOutcome,
  ClaimRequest,
  TaskStore,
} from "../../contracts/task-store.ts";
import { CountingRunner } from "../support/kit-runner.ts";

/** A claim of a task for servers, each with its limit. */
export function claimOf(
  id: string,
  ...servers: readonly (readonly [server: string, limit: number])[]
): Claim {
  const named = servers.length > 0 ? servers : [["s", 99] as const];
  return { id, servers: named.map(([server, limit]) => ({ server, limit })) };
}

/** `granted s#1`, `full`, `gone` or `not_yet`. */
export function brief(outcomes: readonly ClaimOutcome[]): string[] {
  return outcomes.map((item) => {
    return item.outcome === "granted" ? `granted ${item.grant.server}#${item.grant.attempt}` : item.outcome;
  });
}

/** A runner as a store sees it: applies, and then claims under the same sequence. */
export class StoreRunner extends CountingRunner {
  readonly store: TaskStore;

  constructor(store: TaskStore, runner = "runner") {
    super(runner);
    this.store = store;
  }

  next(parts: Partial<ApplyRequest> = {}): ApplyRequest {
    return { ...this.begin(), servers: [], ...parts };
  }

  async apply(parts: Partial<ApplyRequest> = {}): Promise<ApplyReply> {
    const request = this.next(parts);
    const reply = await this.store.apply(request);
    this.acknowledged = request.sequence;
    return reply;
  }

  claimRequest(...claims: Claim[]): ClaimRequest {
    const { runner, incarnation, sequence, leaseMs } = this;
    return { runner, incarnation, sequence, leaseMs, claims };
  }

  claim(...claims: Claim[]): Promise<readonly ClaimOutcome[]> {
    return this.store.claim(this.claimRequest(...claims));
  }

  /** Applies, claims one task and expects to be granted it. */
  async grant(id: string, server = "s"): Promise<Grant> {
    await this.apply();
    const [outcome] = await this.claim(claimOf(id, [server, 99]));
    if (outcome?.outcome !== "granted") assert.fail(`${id} was not granted: ${outcome?.outcome}`);
    return outcome.grant;
  }
}
