import type { Clock } from "../../contracts/clock.ts";
import { GatewayError } from "../../errors.ts";
import type { AbortSource } from "../../late-abort.ts";
import type { KnownServer, ServerDirectory } from "../../routing/server-directory.ts";
import { TaskTurns } from "./task-turns.ts";

/** What a request asks of a server. */
export interface SlotWish {
  readonly model: string;
  /** Whether servers of this protocol will do. */
  readonly suits: (protocol: string) => boolean;
  /** Servers that were tried in vain. */
  readonly tried: ReadonlySet<string>;
}

interface Waiter {
  readonly wish: SlotWish;
  readonly sequence: number;
  readonly served: (known: KnownServer) => void;
  readonly refused: (error: unknown) => void;
}

export interface DirectSlotsOptions {
  readonly directory: Pick<ServerDirectory, "get" | "openFor">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly share: number;
  readonly maxWaiting: number;
  /** Tasks may find room now that they did not before; `atOnce` when it is kept for them for a moment. */
  readonly onRoom?: ((atOnce: boolean) => void) | undefined;
}

/**
 * The slots that direct requests take, within their share of each server and, together with the tasks of this gateway,
 * within the server's limit. Whoever finds none waits: first come, first served in each lane, and no lane waits for
 * another.
 */
export class DirectSlots {
  readonly #options: DirectSlotsOptions;
  readonly #lanes = new Map<string, Set<Waiter>>();
  readonly #turns: TaskTurns | undefined;
  #waiting = 0;
  #sequence = 0;

  constructor(options: DirectSlotsOptions) {
    this.#options = options;
    const { clock, onRoom } = options;
    // Without tasks of this gateway's own nobody needs a turn.
    if (onRoom !== undefined) this.#turns = new TaskTurns(clock, () => this.wake());
  }

  /** A slot on a server, if there is one and nobody waits for it already. `release` gives it back. */
  take(wish: SlotWish): KnownServer | undefined {
    return this.#lanes.has(wish.model) ? undefined : this.#take(wish);
  }

  /** The same, waiting for it; `undefined` when the time is over or too many wait. */
  wait(wish: SlotWish, waitMs: number, abort: AbortSource): Promise<KnownServer | undefined> {
    if (this.#waiting >= this.#options.maxWaiting || waitMs <= 0) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        stopTimer();
        stopListening();
        this.#remove(waiter);
      };
      const waiter: Waiter = {
        wish,
        sequence: this.#sequence++,
        served: (known) => {
          leave();
          resolve(known);
        },
        refused: (error) => {
          leave();
          reject(error);
        },
      };
      const stopTimer = this.#options.clock.after(waitMs, () => {
        leave();
        resolve(undefined);
      });
      const stopListening = abort.onAbort(() => waiter.refused(abort.reason));
      const lane = this.#lanes.get(wish.model) ?? new Set();
      this.#lanes.set(wish.model, lane.add(waiter));
      this.#waiting += 1;
      this.wake();
    });
  }

  /** Whether a server could serve it, had it a slot. */
  hasServer(wish: SlotWish): boolean {
    return this.#candidates(wish).length > 0;
  }

  /** How long a slot is still kept for tasks: nobody is refused for that, however short it waits. */
  turnMs(wish: SlotWish): number {
    if (this.#turns === undefined) return 0;
    return Math.max(0, ...this.#candidates(wish).map(({ server }) => this.#turns?.leftMs(server.id) ?? 0));
  }

  /** Gives a slot back. */
  release(id: string): void {
    const known = this.#options.directory.get(id);
    // A server that went and came again counts anew.
    if (known !== undefined && known.direct > 0) {
      const wasFull = known.inFlight >= known.slots.value;
      const isTurn = wasFull && known.direct === known.inFlight && this.#turns?.begin(id) === true;
      known.direct -= 1;
      known.inFlight = Math.max(0, known.inFlight - 1);
      if (wasFull) this.#options.onRoom?.(isTurn);
    }
    this.wake();
  }

  /** A task gave back its slot on a server. */
  taskEnded(id: string): void {
    this.#turns?.used(id);
    this.wake();
  }

  /** Servers or slots may have come. */
  wake(): void {
    if (this.#waiting === 0) return;
    const lanes = new Set(this.#lanes.values());
    for (;;) {
      const lane = oldest(lanes);
      if (lane === undefined) return;
      if (!this.#serveOne(lane)) lanes.delete(lane);
    }
  }

  /** Refuses all who wait. */
  refuseAll(error: GatewayError): void {
    for (const lane of [...this.#lanes.values()]) for (const waiter of [...lane]) waiter.refused(error);
  }

  /** The first in line, unless it is one that has fewer servers to choose from than those behind it. */
  #serveOne(lane: ReadonlySet<Waiter>): boolean {
    for (const { wish, served } of lane) {
      const known = this.#take(wish);
      if (known !== undefined) {
        served(known);
        return true;
      }
      if (wish.tried.size === 0) return false;
    }
    return false;
  }

  #remove(waiter: Waiter): void {
    const { model } = waiter.wish;
    const lane = this.#lanes.get(model);
    if (lane?.delete(waiter) !== true) return;
    this.#waiting -= 1;
    if (lane.size === 0) this.#lanes.delete(model);
  }

  #take(wish: SlotWish): KnownServer | undefined {
    const known = this.#pick(this.#candidates(wish).filter((each) => this.#hasRoom(each)));
    if (known === undefined) return undefined;
    known.direct += 1;
    known.inFlight += 1;
    return known;
  }

  /** One that is paused only where all are: then its own answer is the best there is. */
  #candidates({ model, suits, tried }: SlotWish): readonly KnownServer[] {
    const { directory, clock } = this.#options;
    const open = directory
      .openFor(model)
      .filter(({ server }) => suits(server.protocol) && !tried.has(server.id));
    if (open.length < 2) return open;
    const nowMs = clock.monotonic();
    const eager = open.filter(({ health }) => !health.isPaused(nowMs));
    return eager.length > 0 ? eager : open;
  }

  #hasRoom(known: KnownServer): boolean {
    const limit = known.slots.value;
    if (known.inFlight >= limit || known.direct >= shareOf(limit, this.#options.share)) return false;
    return known.inFlight < limit - 1 || this.#turns?.isOn(known.server.id) !== true;
  }

  /** The less loaded of two that chance names. */
  #pick(free: readonly KnownServer[]): KnownServer | undefined {
    if (free.length < 2) return free[0];
    const first = Math.floor(this.#options.random() * free.length);
    const second = (first + 1 + Math.floor(this.#options.random() * (free.length - 1))) % free.length;
    const [a, b] = [free[first], free[second]];
    if (a === undefined || b === undefined) return free[0];
    return loadOf(b) < loadOf(a) ? b : a;
  }
}

/** How many of a server's slots direct requests may take. */
function shareOf(limit: number, share: number): number {
  return Math.max(1, Math.floor(limit * share));
}

function loadOf({ inFlight, slots, server: { weight = 1 } }: KnownServer): number {
  return (inFlight + 1) / (slots.value * weight);
}

function oldest(lanes: ReadonlySet<Set<Waiter>>): Set<Waiter> | undefined {
  let found: Set<Waiter> | undefined;
  let lowest = Number.POSITIVE_INFINITY;
  for (const lane of lanes) {
    for (const { sequence } of lane) {
      if (sequence < lowest) {
        lowest = sequence;
        found = lane;
      }
      break;
    }
  }
  return found;
}

/** What is told to whoever found no slot in time. */
export function noSlot(model: string, isServed: boolean): GatewayError {
  const message = isServed
    ? `all slots that requests without a task may take on the servers of model "${model}" are taken`
    : `no server of model "${model}" is ready`;
  const retryAfterMs = isServed ? 1_000 : 5_000;
  return new GatewayError("SERVER_BUSY", message, { details: { model, retryAfterMs } });
}
