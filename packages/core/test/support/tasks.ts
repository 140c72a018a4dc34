import type {
  ExchangeReply,
  ExchangeRequest,
  Grant,
  Ledger,
  NewTask,
  ServerWant,
  Settlement,
} from "../../src/contracts/ledger.ts";
import type { ResultRef } from "../../src/contracts/task.ts";

export const LEASE_MS = 10_000;

export function newTask(id: string, parts: Partial<NewTask> = {}): NewTask {
  return {
    id,
    model: "m",
    operation: "process",
    owner: "",
    query: "",
    repeatable: true,
    background: false,
    maxFailures: 5,
    priority: 5,
    boostMs: 3_600_000,
    waitMs: 86_400_000,
    payload: { sizeBytes: 2, inline: new Uint8Array([1, 2]) },
    ...parts,
  };
}

export function want(server: string, parts: Partial<ServerWant> = {}): ServerWant {
  return { server, limit: 4, max: 4, models: ["m"], background: true, cost: 0, ...parts };
}

export const RESULT: ResultRef = { sizeBytes: 3, inline: new Uint8Array([7, 8, 9]), status: 200 };

export function succeeded({ task, attempt }: Grant, releaseHold = true): Settlement {
  return { id: task.id, attempt, kind: "succeeded", result: RESULT, releaseHold };
}

export function returned(
  { task, attempt }: Grant,
  parts: { counts?: boolean; delayMs?: number } = {},
): Settlement {
  const error = { code: "SERVER_BUSY", message: "busy" };
  return {
    id: task.id,
    attempt,
    kind: "returned",
    counts: false,
    delayMs: 0,
    releaseHold: true,
    error,
    ...parts,
  };
}

/** One runner that counts its sequences. */
export class TestRunner {
  readonly ledger: Pick<Ledger, "exchange">;
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
    const { runner, incarnation, sequence, acknowledged } = this;
    return {
      ...{ runner, incarnation, sequence, acknowledged, leaseMs: LEASE_MS },
      ...{ settle: [], renew: [], want: [], recover: 0, release: [] },
      ...parts,
    };
  }

  /** Sends the next request and takes note of the reply. */
  async exchange(parts: Partial<ExchangeRequest> = {}): Promise<ExchangeReply> {
    const reply = await this.ledger.exchange(this.next(parts));
    this.acknowledged = reply.sequence;
    return reply;
  }

  async grants(...wants: ServerWant[]): Promise<Grant[]> {
    return [...(await this.exchange({ want: wants })).grants];
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

/** A generator of numbers in [0, 1) that repeats for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
