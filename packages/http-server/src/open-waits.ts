const MOST_SPARE = 256;

/** The callers that wait for an answer, so that all of them can be sent on their way when the server stops. */
export class OpenWaits {
  readonly #waits = new Set<AbortController>();
  /** Used before and never aborted. To make one with its signal takes longer than all else that a wait does here. */
  readonly #spare: AbortController[] = [];
  #released = false;

  /**
   * Runs `wait` with a signal that is aborted by `release`, or by what `onHangUp` tells. `isKept` says that somebody may
   * listen to the signal for longer than that.
   */
  async run<T>(
    onHangUp: (callback: () => void) => () => void,
    wait: (signal: AbortSignal) => Promise<T>,
    { isKept = false }: { readonly isKept?: boolean } = {},
  ): Promise<T> {
    const controller = this.#spare.pop() ?? new AbortController();
    const stopListening = onHangUp(() => controller.abort());
    this.#waits.add(controller);
    if (this.#released) controller.abort();
    try {
      return await wait(controller.signal);
    } finally {
      this.#waits.delete(controller);
      stopListening();
      if (!isKept && !controller.signal.aborted && this.#spare.length < MOST_SPARE)
        this.#spare.push(controller);
    }
  }

  /** Ends every wait, now and from now on. */
  release(): void {
    this.#released = true;
    for (const controller of this.#waits) controller.abort();
  }
}
