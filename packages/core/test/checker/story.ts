import type { ExchangeOutcome, RenewRef, ServerWant, Settlement } from "../../src/contracts/ledger.ts";
import type { TaskRecord } from "../../src/contracts/task.ts";
import {
  checkHistory,
  type GrantView,
  type HistoryEvent,
  type HistoryFacts,
  type RuleName,
  type StoreCause,
} from "../../src/testing/checker/index.ts";

type Untimed<E> = E extends unknown ? Omit<E, "atMs"> : never;

const STORE_EPOCH_MS = 1_000_000;

const FACTS: HistoryFacts = {
  leaseMs: 1_000,
  boostMs: 1_000,
  limits: { s: 1, s2: 1 },
  models: { s: ["m"], s2: ["m2"] },
  order: "exact",
  progressMs: 5_000,
  unwritable: [],
  maxFailures: 2,
  maxAttempts: 5,
};

interface Exchange {
  readonly by?: string;
  readonly sequence?: number;
  readonly settle?: readonly Settlement[];
  readonly settled?: readonly ExchangeOutcome["outcome"][];
  readonly renew?: readonly RenewRef[];
  readonly want?: readonly ServerWant[];
  readonly grants?: readonly GrantView[];
}

/** Tells a history by hand: each step happens 10 ms after the one before. */
export class Story {
  readonly #history: HistoryEvent[] = [];
  readonly #rows = new Map<string, TaskRecord>();
  #atMs = 0;
  #sequence = 0;

  constructor() {
    for (const server of ["s", "s2"])
      this.tell({ kind: "server", server, instance: `${server}#1`, isUp: true });
    for (const by of ["p", "q"]) this.tell({ kind: "process", by, change: "started" });
  }

  get rows(): readonly TaskRecord[] {
    return [...this.#rows.values()];
  }

  get storeMs(): number {
    return STORE_EPOCH_MS + this.#atMs;
  }

  tell(event: Untimed<HistoryEvent>): this {
    this.#atMs += 10;
    this.#history.push({ atMs: this.#atMs, ...event } as HistoryEvent);
    return this;
  }

  pass(ms: number): this {
    this.#atMs += ms;
    return this;
  }

  /** A task is accepted; `t` by default. */
  accept(changes: Partial<TaskRecord> = {}): this {
    const id = changes.id ?? "t";
    const createdAtMs = this.storeMs;
    const task: TaskRecord = {
      ...{ id, model: "m", operation: "process", owner: "", query: "", repeatable: true, background: false },
      ...{
        maxFailures: 2,
        payload: { sizeBytes: 0 },
        createdAtMs,
        deadlineAtMs: createdAtMs + 60_000,
        priority: 0,
      },
      ...{ state: "pending", rank: createdAtMs, attempt: 0, failures: 0, lostAttempts: 0, recovering: false },
      ...changes,
    };
    this.tell({ kind: "offered", id, answer: "right", isValid: true });
    this.#row("submit", task);
    return this.tell({ kind: "accepted", id, by: "p" });
  }

  /** The row of a task changes. */
  row(cause: StoreCause, changes: Partial<TaskRecord>): this {
    const known = this.#rows.get(changes.id ?? "t");
    if (known === undefined) throw new Error("the story knows no such task");
    return this.#row(cause, { ...known, ...changes });
  }

  #row(cause: StoreCause, task: TaskRecord): this {
    this.#rows.set(task.id, task);
    return this.tell({ kind: "row", cause, storeMs: this.storeMs, task });
  }

  exchange({ by = "p", sequence, settle = [], settled, renew = [], want = [], grants = [] }: Exchange): this {
    if (sequence === undefined) this.#sequence += 1;
    return this.tell({
      ...{
        kind: "exchange",
        by,
        runner: by,
        incarnation: "1",
        sequence: sequence ?? this.#sequence,
        storeMs: this.storeMs,
      },
      ...{ settle, renew, release: [], want, grants },
      settled: settle.map((_, at) => ({ outcome: settled?.[at] ?? "accepted" }) as ExchangeOutcome),
    });
  }

  /** The next attempt at a task is granted. */
  grant(changes: Partial<TaskRecord> = {}, by = "p"): this {
    const { id = "t", server = "s" } = changes;
    const attempt = changes.attempt ?? (this.#rows.get(id)?.attempt ?? 0) + 1;
    const lease = { holder: `${by}/1`, leaseExpiresAtMs: this.storeMs + 1_000 };
    this.row("exchange", {
      state: "scheduled",
      server,
      instance: `${server}#1`,
      ...lease,
      ...changes,
      attempt,
    });
    return this.exchange({ by, grants: [{ kind: "run", id, attempt, server }] });
  }

  /** The holder settles; the row changes with it. */
  settle(kind: "succeeded" | "failed" | "returned", changes: Partial<TaskRecord> = {}, by = "p"): this {
    const id = changes.id ?? "t";
    const attempt = this.#rows.get(id)?.attempt ?? 0;
    const state = kind === "returned" ? "pending" : kind;
    this.row("exchange", {
      holder: undefined,
      leaseExpiresAtMs: undefined,
      state,
      endedBy: "attempt",
      ...changes,
    });
    return this.exchange({ by, settle: [settlementOf(id, attempt, kind)] });
  }

  send(
    call = 1,
    changes: { readonly id?: string; readonly by?: string; readonly server?: string } = {},
  ): this {
    const { id = "t", by = "p", server = "s" } = changes;
    return this.tell({ kind: "sent", call, id, by, server, instance: `${server}#1` });
  }

  answer(outcome: string, call = 1): this {
    return this.tell({ kind: "answered", call, id: "t", by: "p", outcome });
  }

  begin(
    execution: number,
    changes: { readonly id?: string; readonly background?: boolean; readonly instance?: string } = {},
  ): this {
    const { id = "t", background = false, instance = "s#1" } = changes;
    return this.tell({ kind: "begun", execution, id, server: "s", instance, background });
  }

  /** The rules that the story breaks. */
  broken(changes: Partial<HistoryFacts> = {}): RuleName[] {
    return [...new Set(checkHistory(this.#history, { ...FACTS, ...changes }).map(({ rule }) => rule))];
  }
}

export function settlementOf(
  id: string,
  attempt: number,
  kind: "succeeded" | "failed" | "returned" | "sent",
): Settlement {
  const error = { code: "SERVER_REJECTED", message: "It was refused." };
  if (kind === "sent") return { id, attempt, kind, server: "s" };
  if (kind === "succeeded") return { id, attempt, kind, result: { sizeBytes: 0 }, releaseHold: true };
  if (kind === "failed") return { id, attempt, kind, error, releaseHold: true };
  return { id, attempt, kind, counts: false, delayMs: 0, releaseHold: true };
}

export function want(changes: Partial<ServerWant> = {}): ServerWant {
  return { server: "s", limit: 1, max: 1, models: ["m"], background: true, cost: 0, ...changes };
}
