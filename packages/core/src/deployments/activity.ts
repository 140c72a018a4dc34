import type { Clock } from "../contracts/clock.ts";
import type { Entries } from "./book.ts";
import type { Remaining } from "./decide.ts";
import type { Entry } from "./entry.ts";
import type { Ack, Marks, Presence } from "./presence.ts";

export interface ActivityHost {
  readonly clock: Clock;
  readonly name: string;
  readonly loadOf: (serverId: string) => Ack;
  readonly barrier: () => () => boolean;
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
  /** By generation: whether the ledger has answered all that was asked of it before the draining was known. */
  readonly #barriers = new Map<string, () => boolean>();

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
    for (const { model, phase, generation, drain } of entries.values()) {
      // Who asked has the server now, or somebody removed it: what was asked before is no reason to make another one.
      if (phase === "ready" || drain?.why === "removed") this.#askedMs.delete(model);
      if (phase !== "draining") continue;
      draining.add(generation);
      if (!this.#barriers.has(generation)) this.#barriers.set(generation, this.#host.barrier());
    }
    for (const generation of this.#barriers.keys()) {
      if (!draining.has(generation)) this.#barriers.delete(generation);
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
    for (const { marks } of this.#presence.live()) acks.push(marks.acks[entry.generation]);
    let inFlight = 0;
    let background = 0;
    for (const ack of acks) {
      inFlight += ack?.inFlight ?? 0;
      background += ack?.background ?? 0;
    }
    return { isAcknowledged: acks.every((ack) => ack !== undefined), inFlight, background };
  }

  #ackOf({ phase, generation, server }: Entry): Ack | undefined {
    if (phase !== "draining" || this.#barriers.get(generation)?.() !== true) return undefined;
    return server === undefined ? { inFlight: 0, background: 0 } : this.#host.loadOf(server.serverId);
  }
}
