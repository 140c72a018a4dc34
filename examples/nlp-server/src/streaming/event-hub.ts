/** How many events wait for a slow listener before whoever sends them has to wait. */
const mostWaiting = 1_000;

const longestTimerMs = 2 ** 31 - 1;

/** Events on their way to one client. */
export class EventChannel {
  readonly #events: unknown[] = [];
  readonly #wakeUps = new Set<() => void>();
  #isClosed = false;

  /** Resolves when there is room for it; what comes after the channel was closed goes nowhere. */
  async put(event: unknown): Promise<void> {
    while (this.#events.length >= mostWaiting && !this.#isClosed) await this.#change();
    if (this.#isClosed) return;
    this.#events.push(event);
    this.#wake();
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The next event, or `undefined` when none came in time or none will come. */
  async next(timeoutMs: number): Promise<{ event: unknown } | undefined> {
    const deadline = performance.now() + timeoutMs;
    while (this.#events.length === 0) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0 || this.#isClosed) return undefined;
      await this.#change(leftMs);
    }
    const event = this.#events.shift();
    this.#wake();
    return { event };
  }

  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  #change(timeoutMs = longestTimerMs): Promise<void> {
    return new Promise((resolve) => {
      const wakeUp = (): void => {
        clearTimeout(timer);
        this.#wakeUps.delete(wakeUp);
        resolve();
      };
      const timer = setTimeout(wakeUp, timeoutMs);
      this.#wakeUps.add(wakeUp);
    });
  }

  #wake(): void {
    for (const wakeUp of [...this.#wakeUps]) wakeUp();
  }
}

/** Who listens for events, by the name that each gave itself. As in CMS, two of the same name share their events. */
export class EventHub {
  readonly #channels = new Map<string, EventChannel>();

  open(clientId: string): EventChannel {
    const channel = this.#channels.get(clientId) ?? new EventChannel();
    this.#channels.set(clientId, channel);
    return channel;
  }

  find(clientId: string): EventChannel | undefined {
    return this.#channels.get(clientId);
  }

  /** The first listener that leaves ends it for all of its name. */
  close(clientId: string, channel: EventChannel): void {
    channel.close();
    if (this.#channels.get(clientId) === channel) this.#channels.delete(clientId);
  }
}
