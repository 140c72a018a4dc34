import { createHash } from "node:crypto";

/** A task that the gateway had acknowledged, with what was sent. */
export interface Acknowledged {
  readonly id: string;
  readonly operation: "process" | "redact";
  readonly text: string;
}

/** What was seen of one task over the whole run. */
interface Seen {
  ending?: string;
  result?: string;
}

const ENDINGS = new Set(["succeeded", "failed", "cancelled"]);

/**
 * What clients saw, from outside. It judges at once what can be judged at once: an ending or a result that changes,
 * an acknowledged task that is not there.
 */
export class History {
  readonly acknowledged: Acknowledged[] = [];
  readonly violations: string[] = [];
  /** Submissions begun while the gateway was up, and how many of them were accepted. */
  submittedUp = 0;
  acceptedUp = 0;
  reads = 0;
  readonly #seen = new Map<string, Seen>();

  accept(task: Acknowledged): void {
    if (this.#seen.has(task.id)) this.violations.push(`id ${task.id} was given twice`);
    this.acknowledged.push(task);
    this.#seen.set(task.id, {});
  }

  sawState(id: string, state: string): void {
    this.reads += 1;
    const seen = this.#of(id);
    if (seen.ending !== undefined && seen.ending !== state) {
      this.violations.push(`${id} had ended as ${seen.ending} and is ${state}`);
    }
    if (ENDINGS.has(state)) seen.ending ??= state;
  }

  sawResult(id: string, bytes: Uint8Array): void {
    this.reads += 1;
    const seen = this.#of(id);
    const hash = createHash("sha256").update(bytes).digest("hex");
    if (seen.result !== undefined && seen.result !== hash)
      this.violations.push(`the result of ${id} changed`);
    seen.result ??= hash;
  }

  sawMissing(id: string, status: number): void {
    this.violations.push(`${id} was acknowledged and is answered with ${status}`);
    // Nobody needs to wait for its ending any more.
    this.#of(id).ending ??= "gone";
  }

  endingOf(id: string): string | undefined {
    return this.#of(id).ending;
  }

  #of(id: string): Seen {
    const seen = this.#seen.get(id);
    if (seen === undefined) throw new Error(`${id} was never acknowledged`);
    return seen;
  }
}
