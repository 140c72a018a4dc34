import type { Clock } from "../../contracts/clock.ts";

/** How long a slot is kept for tasks: enough to ask the ledger for one. */
const TURN_MS = 50;
/** After a turn that no task took. */
const NEXT_TURN_MS = 1_000;

interface Turn {
  untilMs: number;
  nextMs: number;
}

/**
 * Where direct requests have every slot of a server, which they can where it has only one, the next of them would take
 * each that is freed before the ledger was asked, and tasks would wait for ever. So tasks have their turn in between:
 * every time as long as they take it, else once a second.
 */
export class TaskTurns {
  readonly #clock: Clock;
  readonly #onOver: () => void;
  readonly #turns = new Map<string, Turn>();

  constructor(clock: Clock, onOver: () => void) {
    this.#clock = clock;
    this.#onOver = onOver;
  }

  /** Begins one, if it is time; says whether it did. */
  begin(server: string): boolean {
    const nowMs = this.#clock.monotonic();
    const turn = this.#turns.get(server);
    if (turn !== undefined && nowMs < turn.nextMs) return false;
    this.#turns.set(server, { untilMs: nowMs + TURN_MS, nextMs: nowMs + NEXT_TURN_MS });
    this.#clock.after(TURN_MS + 1, this.#onOver);
    return true;
  }

  isOn(server: string): boolean {
    return this.leftMs(server) > 0;
  }

  leftMs(server: string): number {
    const turn = this.#turns.get(server);
    return turn === undefined ? 0 : Math.max(0, turn.untilMs - this.#clock.monotonic());
  }

  /** A task had a slot of the server. */
  used(server: string): void {
    const turn = this.#turns.get(server);
    if (turn === undefined) return;
    turn.untilMs = 0;
    turn.nextMs = 0;
  }
}
