import type { Clock } from "../contracts/clock.ts";
import type { DeployedServer, Room } from "../contracts/deployer.ts";
import type { LaneStats, Ledger } from "../contracts/ledger.ts";
import { withinTime } from "../tasks/time-limit.ts";
import type { DeploymentActivity } from "./activity.ts";
import type { Configuration } from "./api.ts";
import type { DeploymentBook, Entries, EntryChange } from "./book.ts";
import type { Step } from "./decide.ts";
import { begin, type DrainReason, drain, type Entry, newEntry, returnToWork, stop } from "./entry.ts";
import type { ResolvedDeployments } from "./options.ts";
import { choosePlaces, lacks, type Resident, reserved, roomOf, sum } from "./room.ts";

export interface ActionsHost {
  readonly book: DeploymentBook;
  readonly options: ResolvedDeployments;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly me: string;
  readonly ledger: Pick<Ledger, "stats" | "list">;
  readonly activity: DeploymentActivity;
  readonly lane: (model: string) => LaneStats | undefined;
  /** What servers that somebody else runs take. */
  readonly roomBesides: () => Room;
}

const STORE_TIMEOUT_MS = 10_000;
const SHORTEST_START_MS = 100;

/** Carries out what was decided, each in one compare-and-set that checks again what the decision rested on. */
export class DeploymentActions {
  readonly #host: ActionsHost;

  constructor(host: ActionsHost) {
    this.#host = host;
  }

  /** Resolves to the entries as they are then. */
  async take(step: Step): Promise<Entries> {
    const { clock, me } = this.#host;
    const nowMs = clock.now();
    switch (step.kind) {
      case "intend":
        return await this.intend(this.#autoEntry(step.configuration));
      case "begin":
        return await this.#begin(step.entry);
      case "claim":
        return await this.#change(step.entry, (entry) => ({ ...entry, driver: me }));
      case "drain":
        return await this.#drain(step.entry, step.why);
      case "return":
        return await this.#change(step.entry, (entry) => returnToWork(entry, nowMs));
      case "stop":
        return await this.#stop(step.entry);
      case "restart":
        return await this.#change(step.entry, (entry) => ({
          ...entry,
          phase: "deploying",
          driver: me,
          begunAtMs: nowMs,
        }));
      case "mark": {
        const activeAtMs = nowMs - this.#host.activity.idleMs(step.entry);
        return await this.#change(step.entry, (entry) => ({ ...entry, activeAtMs }));
      }
      case "adopt":
        return await this.#adopt(step.server);
      case "removeStray":
        return await this.#strike(step.server);
    }
  }

  /**
   * Writes the intent, and with it reserves the room if there is some. Leaves an entry alone that is there already,
   * unless it has failed.
   */
  async intend(entry: Entry): Promise<Entries> {
    return await this.#host.book.change((entries) => {
      const existing = entries.get(entry.model);
      if (existing !== undefined && existing.phase !== "failed") return undefined;
      return { model: entry.model, entry: this.#begun(entry, entries) ?? entry };
    });
  }

  /** As `change` of the book, for one entry that is still as it was when the step was decided. */
  async #change(decided: Entry, to: (entry: Entry, entries: Entries) => Entry | undefined): Promise<Entries> {
    return await this.#host.book.change((entries) => {
      const entry = entries.get(decided.model);
      if (entry === undefined || !isAsDecided(entry, decided)) return undefined;
      const after = to(entry, entries);
      return after === undefined ? undefined : { model: entry.model, entry: after };
    });
  }

  /** With its turn and its room, or `undefined` when it has to wait. */
  #begun(entry: Entry, entries: Entries): Entry | undefined {
    const { options, clock, me } = this.#host;
    if (this.#isCrowded(entries) || this.short(entry, entries) !== undefined) return undefined;
    return options.deployer === undefined ? undefined : begin(entry, me, clock.now());
  }

  #isCrowded(entries: Entries): boolean {
    const atWork = [...entries.values()].filter(({ phase }) => phase === "deploying").length;
    return atWork >= this.#host.options.maxConcurrent;
  }

  /** Of what there is too little for it now. */
  short({ room }: Entry, entries: Entries): keyof Room | undefined {
    return lacks(this.#host.options.room, this.#taken(entries), room);
  }

  #taken(entries: Entries): Room {
    return sum([reserved(entries), this.#host.roomBesides()]);
  }

  async #begin(decided: Entry): Promise<Entries> {
    const { book, clock } = this.#host;
    return await book.change((entries): EntryChange[] | undefined => {
      const entry = entries.get(decided.model);
      if (entry === undefined || !isAsDecided(entry, decided)) return undefined;
      const begun = this.#begun(entry, entries);
      if (begun !== undefined) return [{ model: entry.model, entry: begun }];
      if (this.#isCrowded(entries)) return undefined;
      return this.#yielding(entry, entries).map((each) => ({
        model: each.model,
        entry: drain(each, "yield", clock.now()),
      }));
    });
  }

  /** Who makes room for an entry that waits for some. */
  #yielding(entry: Entry, entries: Entries): readonly Entry[] {
    const { options, clock, activity, lane } = this.#host;
    // Somebody is on the way out already; what that frees is seen first.
    if ([...entries.values()].some(({ phase }) => phase === "draining" || phase === "stopping")) return [];
    const residents: Resident[] = [];
    for (const each of entries.values()) {
      const { phase, kind, idleTtlMs, readyAtMs = 0, begunAtMs = 0, activeAtMs = 0 } = each;
      if (phase !== "ready" || kind !== "auto" || idleTtlMs === undefined) continue;
      if (clock.now() - readyAtMs < options.minResidencyMs) continue;
      const waiting = lane(each.model);
      const isBusy = (waiting?.waiting ?? 0) > 0;
      residents.push({
        entry: each,
        idleMs: isBusy ? 0 : activity.idleMs({ ...each, activeAtMs }),
        startCostMs: Math.max(SHORTEST_START_MS, readyAtMs - begunAtMs),
        firstRank: waiting?.firstRank,
      });
    }
    const own = lane(entry.model);
    return choosePlaces(entry.room, {
      total: options.room,
      taken: this.#taken(entries),
      residents,
      firstRank: (own?.waiting ?? 0) > 0 ? (own?.firstRank ?? clock.now()) : undefined,
    });
  }

  async #drain(decided: Entry, why: DrainReason): Promise<Entries> {
    const { clock, activity, book } = this.#host;
    if (why === "idle" && (await this.#isAtWork(decided.model))) {
      activity.touch(decided.model);
      return book.known;
    }
    return await this.#change(decided, (entry) => drain(entry, why, clock.now()));
  }

  async #stop(decided: Entry): Promise<Entries> {
    const { clock, me, book } = this.#host;
    const why = decided.drain?.why;
    const isPatient =
      decided.phase === "draining" && (why === "idle" || why === "expired" || why === "yield");
    if (isPatient && (await this.#isAtWork(decided.model, why === "idle"))) {
      const patienceMs = why === "expired" ? this.#host.options.maxOverrunMs : Number.POSITIVE_INFINITY;
      if (clock.now() - (decided.drain?.atMs ?? 0) < patienceMs) {
        if (why === "expired") return book.known;
        return await this.#change(decided, (entry) => returnToWork(entry, clock.now()));
      }
    }
    return await this.#change(decided, (entry) => stop(entry, me));
  }

  /**
   * Whether the ledger has something on the way for the model, whoever holds it; with `orWaiting`, also whether
   * something waits. What is running may be watched by nobody just now.
   */
  async #isAtWork(model: string, orWaiting = true): Promise<boolean> {
    const { ledger, clock } = this.#host;
    const states = orWaiting
      ? (["pending", "scheduled", "running"] as const)
      : (["scheduled", "running"] as const);
    const { items } = await withinTime(clock, STORE_TIMEOUT_MS, (signal) =>
      ledger.list({ filter: { model, states }, limit: 1 }, { signal }),
    );
    return items.length > 0;
  }

  async #adopt(server: DeployedServer): Promise<Entries> {
    const { clock, me, book } = this.#host;
    const entry = this.#entryOf(server);
    const nowMs = clock.now();
    // Its time counts from when it was found: nobody remembers when it began.
    const adopted: Entry = { ...begin(entry, me, nowMs), readyAtMs: nowMs };
    return await book.change((entries) =>
      entries.has(entry.model) ? undefined : { model: entry.model, entry: adopted },
    );
  }

  /** Writes down that a server which nobody has is being removed, so that nobody adopts it meanwhile. */
  async #strike(server: DeployedServer): Promise<Entries> {
    const { book, me } = this.#host;
    const entry = stop(this.#entryOf(server), me);
    return await book.change((entries) =>
      entries.has(entry.model) ? undefined : { model: entry.model, entry },
    );
  }

  /** The entry of a server that has none. */
  #entryOf({ model, generation, kind, modelUri, ttlMs }: DeployedServer): Entry {
    const { options, clock } = this.#host;
    return newEntry(
      {
        ...{ model, generation, kind, modelUri },
        modelType: undefined,
        trackingId: undefined,
        demands: undefined,
        room: roomOf(options.template({ model, modelUri }), options.defaultRoom),
        ttlMs: kind === "manual" ? ttlMs : undefined,
        idleTtlMs: kind === "auto" ? ttlMs : undefined,
      },
      clock.now(),
    );
  }

  #autoEntry({ model, modelUri, modelType, trackingId, demands, idleTtlMs, keepWarm }: Configuration): Entry {
    const { options, newId, clock } = this.#host;
    const spec = options.template({ model, modelUri, modelType, demands });
    const room = roomOf(spec, options.defaultRoom);
    return newEntry(
      {
        ...{ model, modelUri, modelType, trackingId, demands, room },
        generation: newId(),
        kind: "auto",
        ttlMs: undefined,
        idleTtlMs: keepWarm ? undefined : idleTtlMs,
      },
      clock.now(),
    );
  }

  /** What this gateway drives is nobody's from now on. */
  async handOver(): Promise<void> {
    const { book, me } = this.#host;
    await book.change((entries) =>
      [...entries.values()]
        .filter(({ driver }) => driver === me)
        .map((entry) => ({ model: entry.model, entry: { ...entry, driver: undefined } })),
    );
  }
}

function isAsDecided(entry: Entry, decided: Entry): boolean {
  return (
    entry.generation === decided.generation &&
    entry.phase === decided.phase &&
    entry.driver === decided.driver &&
    entry.drain?.atMs === decided.drain?.atMs
  );
}
