/** Failures in a row after which a server is left alone for a while. */
const FAILURES_TO_EJECT = 3;
const FIRST_EJECTION_MS = 1_000;
const LONGEST_EJECTION_MS = 60_000;
/** How long a server that did not say is left alone after it refused a call. */
const FIRST_REFUSAL_PAUSE_MS = 100;
const LONGEST_REFUSAL_PAUSE_MS = 5_000;
const LONGEST_ASKED_PAUSE_MS = 300_000;

/**
 * When one server may be given work again. A refusal pauses it for as long as it asks, or backing off; failures in a
 * row eject it, unless it is the last one for a model. Instants are monotonic milliseconds.
 */
export class ServerHealth {
  #pausedUntilMs = 0;
  #backgroundPausedUntilMs = 0;
  #refusals = 0;
  #failures = 0;
  #ejections = 0;

  isPaused(nowMs: number): boolean {
    return nowMs < this.#pausedUntilMs;
  }

  isBackgroundPaused(nowMs: number): boolean {
    return nowMs < this.#backgroundPausedUntilMs;
  }

  /** When the earlier of its pauses is over, if it has one. */
  resumesAtMs(nowMs: number): number | undefined {
    const ends = [this.#pausedUntilMs, this.#backgroundPausedUntilMs].filter((end) => end > nowMs);
    return ends.length === 0 ? undefined : Math.min(...ends);
  }

  succeeded(): void {
    this.#refusals = 0;
    this.#failures = 0;
    this.#ejections = 0;
  }

  /** It refused a call; nothing was begun. Background work that is refused pauses only background work. */
  refused(retryAfterMs: number | undefined, isBackground: boolean, nowMs: number): void {
    const ownMs = Math.min(
      LONGEST_REFUSAL_PAUSE_MS,
      FIRST_REFUSAL_PAUSE_MS * 2 ** Math.min(this.#refusals, 10),
    );
    this.#refusals += 1;
    const untilMs = nowMs + Math.min(LONGEST_ASKED_PAUSE_MS, retryAfterMs ?? ownMs);
    if (isBackground) this.#backgroundPausedUntilMs = Math.max(this.#backgroundPausedUntilMs, untilMs);
    else this.#pausedUntilMs = Math.max(this.#pausedUntilMs, untilMs);
  }

  /** A call broke. Resolves for how long it is ejected now, or 0. */
  failed(isLast: boolean, nowMs: number): number {
    this.#failures += 1;
    if (this.#failures < FAILURES_TO_EJECT || isLast || this.isPaused(nowMs)) return 0;
    const forMs = Math.min(LONGEST_EJECTION_MS, FIRST_EJECTION_MS * 2 ** Math.min(this.#ejections, 10));
    this.#ejections += 1;
    this.#failures = 0;
    this.#pausedUntilMs = nowMs + forMs;
    return forMs;
  }
}
