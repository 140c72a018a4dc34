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

/** What a runner says of itself with every request, whoever it speaks to. */
export abstract class CountingRunner {
  readonly runner: string;
  incarnation = "one";
  sequence = 0;
  acknowledged = 0;
  /** How long what it is granted lasts. */
  leaseMs: number = LONG_MS;

  constructor(runner: string) {
    this.runner = runner;
  }

  /** The next request, which asks for nothing yet. */
  protected begin(): Omit<ExchangeRequest, "want"> {
    this.sequence += 1;
    const { runner, incarnation, sequence, acknowledged, leaseMs } = this;
    return {
      ...{ runner, incarnation, sequence, acknowledged, leaseMs },
      ...{ settle: [], renew: [], recover: 0, release: [] },
    };
  }

  /** Begins anew, as after a crash. */
  restart(incarnation: string): void {
    this.incarnation = incarnation;
    this.sequence = 0;
    this.acknowledged = 0;
  }
}

/** A runner as its ledger sees it: keeps count of sequences, and of the replies that arrived. */
export class KitRunner extends CountingRunner {
  /** Another one may take its place, as after a lost connection. */
  ledger: Pick<Ledger, "exchange">;

  constructor(ledger: Pick<Ledger, "exchange">, runner = "runner") {
    super(runner);
    this.ledger = ledger;
  }

  /** The next request; nothing is sent. */
  next(parts: Partial<ExchangeRequest> = {}): ExchangeRequest {
    return { ...this.begin(), want: [], ...parts };
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
}

/** `id@server#attempt`, for short expectations. */
export function brief(grants: readonly Grant[]): string[] {
  return grants.map(({ kind, task, server, attempt }) => {
    return `${kind === "recover" ? "recover " : ""}${task.id}@${server}#${attempt}`;
  });
}
