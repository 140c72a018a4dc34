import type { Socket } from "node:net";

/** How a link is at the moment. */
export interface Weather {
  /** Added to each piece in each direction. */
  delayMs: number;
  bytesPerSecond: number | undefined;
  isStalled: boolean;
}

export interface PipeWatcher {
  /** A piece came in. */
  readonly onArrival?: (chunk: Uint8Array) => void;
  /** A piece was handed on. */
  readonly onDelivery?: (chunk: Uint8Array) => void;
}

/** What is held back at most before the sender is made to wait. */
const MAX_HELD_BYTES = 4 * 1024 * 1024;
/** A narrow link hands on a slice of what it may in a second, so many times in one. */
const SLICES_PER_SECOND = 20;

/** One direction of one connection. */
export class Pipe {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #weather: Readonly<Weather>;
  readonly #watcher: PipeWatcher;
  readonly #held: { readonly chunk: Buffer; readonly dueAtMs: number }[] = [];
  #heldBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #isDraining = false;
  #isStopped = false;
  #onEmpty: (() => void)[] = [];

  constructor(from: Socket, to: Socket, weather: Readonly<Weather>, watcher: PipeWatcher) {
    this.#from = from;
    this.#to = to;
    this.#weather = weather;
    this.#watcher = watcher;
    to.on("drain", () => {
      this.#isDraining = false;
      this.pump();
    });
  }

  start(): void {
    this.#from.on("data", (chunk: Buffer) => this.#take(chunk));
    this.#from.once("end", () => this.end(() => this.#to.end()));
    this.#from.resume();
  }

  /** Calls back once everything that came before has been handed on. */
  end(onEmpty: () => void): void {
    this.#onEmpty.push(onEmpty);
    this.pump();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#held.length = 0;
    this.#onEmpty = [];
  }

  /** Hands on what may be handed on now. */
  pump(): void {
    if (this.#timer !== undefined) return;
    while (!this.#isStopped && !this.#isDraining && !this.#weather.isStalled) {
      const [head] = this.#held;
      if (head === undefined) {
        for (const tell of this.#onEmpty.splice(0)) tell();
        return;
      }
      const waitMs = head.dueAtMs - performance.now();
      if (waitMs > 0) {
        this.#pumpIn(waitMs);
        return;
      }
      const { bytesPerSecond } = this.#weather;
      if (bytesPerSecond === undefined) {
        this.#give(head.chunk.byteLength);
        continue;
      }
      this.#give(Math.ceil(bytesPerSecond / SLICES_PER_SECOND));
      this.#pumpIn(1_000 / SLICES_PER_SECOND);
      return;
    }
  }

  #pumpIn(waitMs: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.pump();
    }, waitMs);
  }

  #take(chunk: Buffer): void {
    this.#watcher.onArrival?.(chunk);
    this.#held.push({ chunk, dueAtMs: performance.now() + this.#weather.delayMs });
    this.#heldBytes += chunk.byteLength;
    if (this.#heldBytes > MAX_HELD_BYTES) this.#from.pause();
    this.pump();
  }

  #give(bytes: number): void {
    const head = this.#held.shift();
    if (head === undefined) return;
    const now = head.chunk.subarray(0, bytes);
    const later = head.chunk.subarray(bytes);
    if (later.byteLength > 0) this.#held.unshift({ chunk: later, dueAtMs: head.dueAtMs });
    this.#heldBytes -= now.byteLength;
    if (this.#heldBytes < MAX_HELD_BYTES / 2) this.#from.resume();
    if (this.#to.destroyed) return;
    this.#isDraining = !this.#to.write(now);
    this.#watcher.onDelivery?.(now);
  }
}
