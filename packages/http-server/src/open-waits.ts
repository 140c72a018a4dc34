/** The callers that wait for an answer, so that all of them can be sent on their way when the server stops. */
export class OpenWaits {
  readonly #waits = new Set<AbortController>();
  #released = false;

  /** Runs `wait` with a signal that is aborted by `release`, or by what `onHangUp` tells. */
  async run<T>(
    onHangUp: (callback: () => void) => () => void,
    wait: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const controller = new AbortController();
    const stopListening = onHangUp(() => controller.abort());
    this.#waits.add(controller);
    if (this.#released) controller.abort();
    try {
      return await wait(controller.signal);
    } finally {
      this.#waits.delete(controller);
      stopListening();
    }
  }

  /** Ends every wait, now and from now on. */
  release(): void {
    this.#released = true;
    for (const controller of this.#waits) controller.abort();
  }
}
