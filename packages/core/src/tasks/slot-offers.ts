import type { Grant, ServerWant } from "../contracts/ledger.ts";

/** What the offers to one server came to. */
interface Known {
  /** The exchange that last offered slots of it. */
  offeredAt: number;
  /** All that was offered was taken, or work for it was announced: there may be more at once. */
  isWanted: boolean;
  /** Until then it is taken to have no work, by the monotonic clock. */
  dryUntilMs: number;
}

/**
 * Divides a bound over all servers among them: what one exchange offers is never more than is free. The servers take
 * turns, and those that had work lately and those of which nothing is known come first by turns, so that neither keeps
 * the others waiting. One that took less than it was offered has no work; then the rest is offered to the others at
 * once, so that a model nobody asks for never costs another one a wait.
 */
export class SlotOffers {
  /** Absent where there is no bound. */
  readonly #most: number | undefined;
  /** How long a server is taken to have no work, unless work for it is announced. */
  readonly #dryMs: number;
  readonly #known = new Map<string, Known>();
  #exchanges = 0;
  #offered:
    | { readonly wants: readonly ServerWant[]; readonly share: ReadonlyMap<string, number> }
    | undefined;

  constructor(most: number | undefined, dryMs: number) {
    this.#most = most;
    this.#dryMs = dryMs;
  }

  /** What to ask for, of `wants`, while `inUse` slots are taken. */
  take(wants: readonly ServerWant[], inUse: number, nowMs: number): readonly ServerWant[] {
    if (this.#most === undefined) return wants;
    this.#exchanges += 1;
    this.#forgetBut(wants);
    const share = divide(this.#inTurn(wants, nowMs), Math.max(0, this.#most - inUse));
    for (const id of share.keys()) this.#of(id).offeredAt = this.#exchanges;
    this.#offered = { wants, share };
    return wants.flatMap((want) => {
      const max = share.get(want.server) ?? 0;
      return max === 0 && !want.background ? [] : [{ ...want, max }];
    });
  }

  /** What became of it; says whether something that was not offered for want of room should be, at once. */
  answered(grants: readonly Grant[], nowMs: number): boolean {
    if (this.#offered === undefined) return false;
    const { wants, share } = this.#offered;
    this.#offered = undefined;
    const left = new Map(share);
    for (const { kind, server, task } of grants)
      if (kind === "run" && !task.background) left.set(server, (left.get(server) ?? 0) - 1);
    let free = 0;
    for (const [id, count] of left) {
      const known = this.#of(id);
      known.isWanted = count <= 0;
      if (count > 0) known.dryUntilMs = nowMs + this.#dryMs;
      free += count;
    }
    const mayTakeMore = ({ server, max }: ServerWant): boolean =>
      max > (share.get(server) ?? 0) && !(this.#of(server).dryUntilMs > nowMs);
    return free > 0 && wants.some(mayTakeMore);
  }

  /** Work for these models has come. Says whether that changes what to offer. */
  announced(models: Iterable<string>, wants: () => readonly ServerWant[]): boolean {
    if (this.#most === undefined) return false;
    const names = new Set(models);
    for (const want of wants()) {
      if (!want.models.some((model) => names.has(model))) continue;
      const known = this.#of(want.server);
      known.isWanted = true;
      known.dryUntilMs = 0;
    }
    return true;
  }

  #of(id: string): Known {
    let known = this.#known.get(id);
    if (known === undefined) {
      known = { offeredAt: 0, isWanted: false, dryUntilMs: 0 };
      this.#known.set(id, known);
    }
    return known;
  }

  /** A server that is gone, or full, is new when it comes back. */
  #forgetBut(wants: readonly ServerWant[]): void {
    if (this.#known.size <= 2 * wants.length + 64) return;
    const listed = new Set(wants.map(({ server }) => server));
    for (const id of this.#known.keys()) if (!listed.has(id)) this.#known.delete(id);
  }

  #inTurn(wants: readonly ServerWant[], nowMs: number): readonly ServerWant[] {
    const first = this.#exchanges % 2 === 0;
    const order = ({ server }: ServerWant): readonly [number, number] => {
      const { offeredAt, isWanted, dryUntilMs } = this.#of(server);
      return [dryUntilMs > nowMs ? 2 : isWanted === first ? 0 : 1, offeredAt];
    };
    return wants
      .filter(({ max }) => max > 0)
      .map((want) => ({ want, order: order(want) }))
      .sort(({ order: [a, c] }, { order: [b, d] }) => a - b || c - d)
      .map(({ want }) => want);
  }
}

/** One for each in turn, as long as there are any; by server. */
function divide(wants: readonly ServerWant[], free: number): ReadonlyMap<string, number> {
  const share = new Map<string, number>();
  let left = Math.min(
    free,
    wants.reduce((sum, { max }) => sum + max, 0),
  );
  while (left > 0) {
    for (const { server, max } of wants) {
      const own = share.get(server) ?? 0;
      if (left === 0 || own >= max) continue;
      share.set(server, own + 1);
      left -= 1;
    }
  }
  return share;
}
