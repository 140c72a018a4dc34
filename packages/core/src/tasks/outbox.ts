import type { ExchangeOutcome, Settlement } from "../contracts/ledger.ts";

const UNKNOWN: ExchangeOutcome = { outcome: "unknown" };

interface Entry {
  readonly item: Settlement;
  readonly resolve: (answer: OutboxAnswer) => void;
}

/** What the ledger said, and when by its clock if it was said for the first time. */
export interface OutboxAnswer {
  readonly outcome: ExchangeOutcome;
  readonly nowMs: number | undefined;
}

/** Settlements on their way to the ledger. Each stays until an exchange has answered for it. */
export class Outbox {
  #entries: Entry[] = [];

  get size(): number {
    return this.#entries.length;
  }

  /** Resolves what the ledger said of it. */
  post(item: Settlement): Promise<OutboxAnswer> {
    return new Promise((resolve) => this.#entries.push({ item, resolve }));
  }

  /** What an exchange carries now, and how to tell the senders what came back. */
  take(): {
    readonly settle: readonly Settlement[];
    answered(outcomes: readonly ExchangeOutcome[], nowMs: number | undefined): void;
  } {
    const taken = [...this.#entries];
    return {
      settle: taken.map((entry) => entry.item),
      answered: (outcomes, nowMs) => {
        this.#entries = this.#entries.slice(taken.length);
        for (const [at, entry] of taken.entries()) entry.resolve({ outcome: outcomes[at] ?? UNKNOWN, nowMs });
      },
    };
  }

  /** Gives up on everything; the ledger's lease decides. */
  drop(): void {
    for (const entry of this.#entries.splice(0)) entry.resolve({ outcome: UNKNOWN, nowMs: undefined });
  }
}
