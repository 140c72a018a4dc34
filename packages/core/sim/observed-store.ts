import type { ExchangeOutcome, Ledger } from "../src/contracts/ledger.ts";
import type { TaskRecord } from "../src/contracts/task.ts";
import type { TaskStore } from "../src/contracts/task-store.ts";
import { GatewayError } from "../src/errors.ts";
import type { GrantView, StoreCause } from "../src/testing/checker/index.ts";
import type { Recorder } from "./recorder.ts";

type Reader = Pick<Ledger, "get">;

/** What the observers of both kinds of store share. */
export interface StoreWatch {
  readonly recorder: Recorder;
  /** The store's clock. */
  readonly storeNow: () => number;
  /** Tasks whose results cannot be written. */
  readonly unwritable: ReadonlySet<string>;
}

const viewOf = (grant: {
  kind: "run" | "recover";
  attempt: number;
  server: string;
  task: TaskRecord;
}): GrantView => {
  return { kind: grant.kind, id: grant.task.id, attempt: grant.attempt, server: grant.server };
};

/**
 * Writes down every row that a call changed. The stores in memory do all of a call at once, before its promise
 * settles, so that a second call made right after the first sees exactly what the first did.
 */
class RowWatch {
  readonly #store: Reader;
  readonly #watch: StoreWatch;
  readonly #known = new Map<string, TaskRecord | undefined>();

  constructor(store: Reader, watch: StoreWatch) {
    this.#store = store;
    this.#watch = watch;
  }

  expect(ids: readonly string[]): void {
    for (const id of ids) if (!this.#known.has(id)) this.#known.set(id, undefined);
  }

  get ids(): readonly string[] {
    return [...this.#known.keys()];
  }

  /** Makes the call, then writes down what it changed and what it was. */
  async observe<T>(
    cause: StoreCause,
    call: () => Promise<T>,
    told: (value: T) => void = () => {},
  ): Promise<T> {
    const ids = this.ids;
    const outcome = call();
    const after = this.#store.get(ids);
    const settled = outcome.then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
    const [rows, result] = await Promise.all([after, settled]);
    for (const [at, id] of ids.entries()) {
      const row = rows[at];
      if (row === undefined || row === this.#known.get(id)) continue;
      this.#known.set(id, row);
      if (row.holder === undefined) this.#watch.recorder.held.delete(id);
      else this.#watch.recorder.held.add(id);
      this.#watch.recorder.add({ kind: "row", cause, storeMs: this.#watch.storeNow(), task: row });
    }
    if ("error" in result) throw result.error;
    told(result.value);
    return result.value;
  }
}

const UNWRITABLE = new GatewayError("ADAPTER_FAILED", "the row could not be written");

/** Answers settlements that cannot be written as a store would that bisects a failed batch: the bad item alone. */
function splitUnwritable<I extends { readonly id: string; readonly kind: string }, O>(
  items: readonly I[],
  unwritable: ReadonlySet<string>,
  refused: O,
): { readonly good: readonly I[]; merge(outcomes: readonly O[]): O[] } {
  const isBad = (item: I): boolean => item.kind === "succeeded" && unwritable.has(item.id);
  const good = items.filter((item) => !isBad(item));
  return {
    good,
    merge(outcomes) {
      let at = 0;
      return items.map((item) => (isBad(item) ? refused : (outcomes[at++] as O)));
    },
  };
}

const REFUSED: ExchangeOutcome = { outcome: "refused", error: UNWRITABLE };

/** A store as seen by one process: `by` names it in the history. */
export function observeLedger(ledger: Ledger, watch: StoreWatch): (by: string) => Ledger {
  const rows = new RowWatch(ledger, watch);
  return (by) => ({
    capabilities: ledger.capabilities,
    async submit(batch) {
      rows.expect(batch.map((task) => task.id));
      return await rows.observe("submit", () => ledger.submit(batch));
    },
    async exchange(request) {
      const split = splitUnwritable(request.settle, watch.unwritable, REFUSED);
      const reply = await rows.observe(
        "exchange",
        () => ledger.exchange({ ...request, settle: split.good }),
        ({ settled, grants }) => {
          const { runner, incarnation, sequence, renew, want } = request;
          const release = [...request.release];
          watch.recorder.add({
            ...{ kind: "exchange", by, runner, incarnation, sequence, renew, release, want, settled },
            ...{ storeMs: watch.storeNow(), settle: split.good, grants: grants.map(viewOf) },
          });
        },
      );
      return { ...reply, settled: split.merge(reply.settled) };
    },
    get: (ids, options) => ledger.get(ids, options),
    list: (request) => ledger.list(request),
    amend: (batch) => rows.observe("amend", () => ledger.amend(batch)),
    sweep: (request) => rows.observe("sweep", () => ledger.sweep(request)),
    stats: () => ledger.stats(),
    close: async () => {},
  });
}

/** The same for the rows below a composed ledger. */
export function observeTaskStore(store: TaskStore, watch: StoreWatch): (by: string) => TaskStore {
  const rows = new RowWatch(store, watch);
  return (by) => ({
    capabilities: store.capabilities,
    async insert(batch) {
      rows.expect(batch.map((task) => task.id));
      return await rows.observe("submit", () => store.insert(batch));
    },
    async apply(request) {
      const split = splitUnwritable(request.settle, watch.unwritable, REFUSED);
      const reply = await rows.observe(
        "exchange",
        () => store.apply({ ...request, settle: split.good }),
        ({ settled, grants }) => {
          const { runner, incarnation, sequence, renew } = request;
          const release = [...request.release];
          watch.recorder.add({
            ...{ kind: "exchange", by, runner, incarnation, sequence, renew, release, want: [], settled },
            ...{ storeMs: watch.storeNow(), settle: split.good, grants: grants.map(viewOf) },
          });
        },
      );
      return { ...reply, settled: split.merge(reply.settled) };
    },
    claim: (request) =>
      rows.observe(
        "claim",
        () => store.claim(request),
        (outcomes) => {
          const { runner, incarnation, sequence, claims } = request;
          const grants = outcomes.flatMap((one) => (one.outcome === "granted" ? [viewOf(one.grant)] : []));
          watch.recorder.add({
            ...{ kind: "claim", by, runner, incarnation, sequence, claims, grants },
            ...{ storeMs: watch.storeNow(), outcomes: outcomes.map((one) => one.outcome) },
          });
        },
      ),
    get: (ids, options) => store.get(ids, options),
    list: (request) => store.list(request),
    amend: (batch) => rows.observe("amend", () => store.amend(batch)),
    sweep: (request) => rows.observe("sweep", () => store.sweep(request)),
    stats: () => store.stats(),
    close: async () => {},
  });
}
