import assert from "node:assert/strict";
import type {
  ExchangeOutcome,
  ExchangeReply,
  ExchangeRequest,
  Grant,
  Ledger,
  ServerWant,
  Settlement,
} from "../../contracts/ledger.ts";
import { LONG_MS } from "./builders.ts";

/** A runner as its ledger sees it: keeps count of sequences, and of the replies that arrived. */
export class KitRunner {
  /** Another one may take its place, as after a lost connection. */
  ledger: Pick<Ledger, "exchange">;
  readonly runner: string;
  incarnation = "one";
  sequence = 0;
  acknowledged = 0;

  constructor(ledger: Pick<Ledger, "exchange">, runner = "runner") {
    this.ledger = ledger;
    this.runner = runner;
  }

  /** The next request; nothing is sent. */
  next(parts: Partial<ExchangeRequest> = {}): ExchangeRequest {
    this.sequence += 1;
    return {
      runner: this.runner,
      incarnation: this.incarnation,
      sequence: this.sequence,
      acknowledged: this.acknowledged,
      leaseMs: LONG_MS,
      settle: [],
      renew: [],
      want: [],
      recover: 0,
      release: [],
      ...parts,
    };
  }

  /** Sends the next request and takes note of the reply. */
  async exchange(parts: Partial<ExchangeRequest> = {}): Promise<ExchangeReply> {
    const reply = await this.ledger.exchange(this.next(parts));
    this.acknowledged = reply.sequence;
    return reply;
  }

  async grants(...want: ServerWant[]): Promise<readonly Grant[]> {
    return (await this.exchange({ want })).grants;
  }

  /** The one grant that this brings. */
  async grant(want: ServerWant, parts: Partial<ExchangeRequest> = {}): Promise<Grant> {
    const { grants } = await this.exchange({ want: [want], ...parts });
    const [grant] = grants;
    assert.ok(grant !== undefined && grants.length === 1, `expected one grant, got ${grants.length}`);
    return grant;
  }

  /** The names of what became of these. */
  async settle(...items: Settlement[]): Promise<ExchangeOutcome["outcome"][]> {
    return (await this.exchange({ settle: items })).settled.map(({ outcome }) => outcome);
  }

  /** Begins anew, as after a crash. */
  restart(incarnation: string): void {
    this.incarnation = incarnation;
    this.sequence = 0;
    this.acknowledged = 0;
  }
}

/** `id@server#attempt`, for short expectations. */
export function brief(grants: readonly Grant[]): string[] {
  return grants.map(({ kind, task, server, attempt }) => {
    return `${kind === "recover" ? "recover " : ""}${task.id}@${server}#${attempt}`;
  });
}
