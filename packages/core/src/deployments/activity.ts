import type { Clock } from "../contracts/clock.ts";
import type { Entries } from "./book.ts";
import type { Remaining } from "./decide.ts";
import { type Entry, isDraining } from "./entry.ts";
import type { Ack, Load, Marks, Presence } from "./presence.ts";

export interface ActivityHost {
  readonly clock: Clock;
  readonly name: string;
  readonly loadOf: (serverId: string) => Load;
  readonly barrier: () => () => boolean;
}

/** A draining that this gateway has learnt of. */
interface Draining {
  readonly sinceMs: number;
  /** When it was learnt, by the monotonic clock. */
  readonly knownMs: number;
  /** Whether the ledger has answered all that was asked of it before. */
  readonly barrier: () => boolean;
}

/** Somebody who asked for a model and still waits for it asks again within this time. */
const ASKED_FOR_MS = 5_000;

/**
 * When each deployed model was last in use, here and elsewhere, and what is still under way on draining servers. An
 * acknowledgement is given once nothing that was asked of the ledger before can still bring work for the server.
 */
export class DeploymentActivity {
  readonly #presence: Presence;
  readonly #host: ActivityHost;
  /** By model, by the monotonic clock. */
  readonly #activeMs = new Map<string, number>();
  readonly #askedMs = new Map<string, number>();
  /** By generation. */
  readonly #drainings = new Map<string, Draining>();

  constructor(presence: Presence, host: ActivityHost) {
    this.#presence = presence;
    this.#host = host;
  }

  /** The model is in use now. */
  touch(model: string): void {
    this.#activeMs.set(model, this.#host.clock.monotonic());
  }

  /** Somebody waits for the model without a task. */
  ask(model: string): void {
    this.touch(model);
    this.#askedMs.set(model, this.#host.clock.monotonic());
  }

  isAsked(model: string): boolean {
    const askedMs = this.#askedMs.get(model);
    return askedMs !== undefined && this.#host.clock.monotonic() - askedMs < ASKED_FOR_MS;
  }

  follow(entries: Entries): void {
    const draining = new Set<string>();
    const knownMs = this.#host.clock.monotonic();
    for (const entry of entries.values()) {
      const { model, phase, generation, drain } = entry;
      // Who asked has the server now, or somebody removed it: what was asked before is no reason to make another one.
      if (phase === "ready" || drain?.why === "removed") this.#askedMs.delete(model);
      if (!isDraining(entry)) continue;
      draining.add(generation);
      const sinceMs = sinceMsOf(entry);
      if (this.#drainings.get(generation)?.sinceMs === sinceMs) continue;
      this.#drainings.set(generation, { sinceMs, knownMs, barrier: this.#host.barrier() });
    }
    for (const generation of this.#drainings.keys()) {
      if (!draining.has(generation)) this.#drainings.delete(generation);
    }
    for (const model of this.#activeMs.keys()) if (!entries.has(model)) this.#activeMs.delete(model);
  }

  marks(entries: Entries): Marks {
    const nowMs = this.#host.clock.monotonic();
    const idleMs: Record<string, number> = {};
    const acks: Record<string, Ack> = {};
    for (const entry of entries.values()) {
      const { model, generation, server } = entry;
      if (server !== undefined && this.#host.loadOf(server.serverId).inFlight > 0) this.touch(model);
      const activeMs = this.#activeMs.get(model);
      if (activeMs !== undefined) idleMs[model] = Math.round(nowMs - activeMs);
      const ack = this.#ackOf(entry);
      if (ack !== undefined) acks[generation] = ack;
    }
    return { name: this.#host.name, idleMs, acks };
  }

  /** Since its last activity anywhere, as far as it was told. */
  idleMs({ model, activeAtMs, readyAtMs, createdAtMs }: Entry): number {
    const { clock } = this.#host;
    const nowMs = clock.monotonic();
    let idleMs = Math.max(0, clock.now() - (activeAtMs ?? readyAtMs ?? createdAtMs));
    const own = this.#activeMs.get(model);
    if (own !== undefined) idleMs = Math.min(idleMs, nowMs - own);
    for (const { marks, atMs } of this.#presence.live()) {
      const told = marks.idleMs[model];
      if (told !== undefined) idleMs = Math.min(idleMs, told + (nowMs - atMs));
    }
    return Math.max(0, idleMs);
  }

  remaining(entry: Entry): Remaining {
    const acks: (Ack | undefined)[] = [this.#ackOf(entry)];
    for (const { marks } of this.#presence.live()) {
      const ack = marks.acks[entry.generation];
      acks.push(ack?.sinceMs === sinceMsOf(entry) ? ack : undefined);
    }
    let inFlight = 0;
    let background = 0;
    for (const ack of acks) {
      inFlight += ack?.inFlight ?? 0;
      background += ack?.background ?? 0;
    }
    // Who has come since the others were last looked at may know of no draining; who comes after it does.
    const knownMs = this.#drainings.get(entry.generation)?.knownMs ?? Number.POSITIVE_INFINITY;
    const isLooked = this.#presence.lookedMs >= knownMs;
    const isAcknowledged = isLooked && acks.every((ack) => ack !== undefined);
    return { isAcknowledged, inFlight, background };
  }

  #ackOf(entry: Entry): Ack | undefined {
    const { generation, server } = entry;
    const draining = this.#drainings.get(generation);
    const sinceMs = sinceMsOf(entry);
    if (!isDraining(entry) || draining?.sinceMs !== sinceMs || !draining.barrier()) return undefined;
    const load = server === undefined ? { inFlight: 0, background: 0 } : this.#host.loadOf(server.serverId);
    return { ...load, sinceMs };
  }
}

function sinceMsOf({ drain }: Entry): number {
  return drain?.atMs ?? 0;
}
