import type { GetMessage, Message } from "amqplib";
import type { Line } from "./lines.ts";

/** The broker ends a channel on which something is unsettled for half an hour. */
const LONGEST_MS = 20 * 60_000;

/** How long a count may lag behind what was given back. */
const COUNT_LAG_MS = 1_000;

/** A message that was handed out, on the channel that alone can settle it. */
export interface Out {
  readonly receipt: string;
  readonly line: Line;
  readonly message: Message | GetMessage;
  readonly queue: string;
}

/** What was handed out here and is not settled. The broker gives back what belongs to a channel that has ended. */
export class Deliveries {
  readonly #out = new Map<string, Out>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #returned = new Map<string, { count: number; untilMs: number }>();
  #last = 0;

  get count(): number {
    return this.#out.size;
  }

  add(line: Line, message: Message | GetMessage, queue: string): Out {
    this.#last += 1;
    const out: Out = { receipt: `${this.#last}`, line, message, queue };
    this.#out.set(out.receipt, out);
    return out;
  }

  get(receipt: string): Out | undefined {
    return this.#out.get(receipt);
  }

  done(out: Out): void {
    if (!this.#out.delete(out.receipt) || !out.line.isOpen) return;
    out.line.channel.ack(out.message as Message);
  }

  back(out: Out): void {
    if (!this.#out.delete(out.receipt) || !out.line.isOpen) return;
    out.line.channel.nack(out.message as Message);
    const nowMs = performance.now();
    const before = this.#returned.get(out.queue);
    const count = (before !== undefined && before.untilMs > nowMs ? before.count : 0) + 1;
    this.#returned.set(out.queue, { count, untilMs: nowMs + COUNT_LAG_MS });
  }

  /** What was just given back to a queue and may not be counted there yet; a quorum queue writes it down first. */
  returnedTo(queue: string): number {
    const found = this.#returned.get(queue);
    if (found === undefined) return 0;
    if (found.untilMs > performance.now()) return found.count;
    this.#returned.delete(queue);
    return 0;
  }

  /** The queue was asked, and has handed out what it has. */
  asked(queue: string): void {
    this.#returned.delete(queue);
  }

  /** Gives back those of `outs` that are not settled then. */
  backAfter(outs: readonly Out[], visibilityMs: number): void {
    if (outs.length === 0) return;
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        for (const out of outs) this.back(out);
      },
      Math.min(visibilityMs, LONGEST_MS),
    );
    timer.unref();
    this.#timers.add(timer);
  }

  forget(line: Line): void {
    for (const [receipt, out] of this.#out) if (out.line === line) this.#out.delete(receipt);
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#out.clear();
  }
}
