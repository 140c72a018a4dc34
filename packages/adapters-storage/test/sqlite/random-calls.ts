import type {
  ExchangeReply,
  ExchangeRequest,
  FailingLane,
  Ledger,
  NewTask,
  ServerWant,
  Settlement,
} from "@modelgate/core";

/** A small generator of its own (mulberry32), so that a seed means the same everywhere. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Runner {
  readonly name: string;
  incarnation: number;
  sequence: number;
  acknowledged: number;
  last: ExchangeRequest | undefined;
  held: { id: string; attempt: number; background: boolean; server: string }[];
}

/** One call that is made of every ledger alike; `learn` is told what the oracle answered. */
export interface RandomCall {
  readonly name: string;
  readonly advanceMs?: number;
  run(ledger: Ledger): Promise<unknown>;
  learn?(answer: unknown): void;
}

const TEXTS = ["", "a=1&a=2", "käse", "x\ud83d\ude00y"];

/** Makes up calls as runners, senders and sweepers would make them, and as they never should. */
export class RandomCalls {
  readonly #random: () => number;
  readonly #models: readonly string[];
  readonly #ids: string[] = [];
  readonly #runners: Runner[];
  #lastId = 0;

  constructor(seed: number) {
    this.#random = seeded(seed);
    const lanes = this.#pick([1, 3, 12, 90]);
    this.#models = Array.from({ length: lanes }, (_, index) => `m${index}`);
    this.#runners = ["a", "b"].map((name) => ({
      name,
      incarnation: 1,
      sequence: 0,
      acknowledged: 0,
      last: undefined,
      held: [],
    }));
  }

  next(): RandomCall {
    const dice = this.#random();
    if (dice < 0.25) return this.#submit();
    if (dice < 0.7) return this.#exchange();
    if (dice < 0.8) return this.#amend();
    if (dice < 0.87) return this.#sweep();
    if (dice < 0.93)
      return {
        name: "advance",
        advanceMs: this.#pick([1, 300, 5000, 20_000, 100_000]),
        run: async () => undefined,
      };
    if (dice < 0.96) return this.#get();
    if (dice < 0.98) return { name: "stats", run: async (ledger) => sortLanes(await ledger.stats()) };
    return this.#list();
  }

  #pick<T>(of: readonly T[]): T {
    return of[Math.floor(this.#random() * of.length)] as T;
  }

  #chance(of: number): boolean {
    return this.#random() < of;
  }

  #anyId(): string {
    return this.#chance(0.05)
      ? "nobody"
      : (this.#ids[Math.floor(this.#random() * this.#ids.length)] ?? "nobody");
  }

  #submit(): RandomCall {
    const tasks = Array.from({ length: this.#pick([1, 1, 2, 6]) }, () => this.#task());
    return { name: "submit", run: (ledger) => ledger.submit(tasks) };
  }

  #task(): NewTask {
    this.#lastId += 1;
    const isKnown = this.#chance(0.05);
    const id = isKnown ? this.#anyId() : `t${Math.floor(this.#random() * 1e6)}-${this.#lastId}`;
    if (!isKnown) this.#ids.push(id);
    const bytes = new TextEncoder().encode(`payload of ${id}`).subarray(0, this.#pick([0, 3, 100]));
    const isInline = this.#chance(0.8);
    const payload = isInline
      ? { sizeBytes: bytes.length, inline: bytes }
      : { sizeBytes: 1e6, key: `payloads/${id}` };
    return {
      id,
      model: this.#chance(0.03) ? "bad\0model" : this.#pick(this.#models),
      operation: this.#pick(["process", "train"]),
      owner: this.#pick(["", "anna"]),
      query: this.#pick(TEXTS),
      source: this.#pick([undefined, "::1 a\0b \ud800"]),
      retryOf: this.#pick([undefined, "older"]),
      repeatable: this.#chance(0.5),
      background: this.#chance(0.3),
      maxFailures: this.#pick([1, 2, 5]),
      priority: this.#pick([0, 5, 10]),
      boostMs: this.#pick([3_600_000, 1e14, 10]),
      waitMs: this.#pick([1000, 86_400_000]),
      payload: { ...payload, contentType: this.#pick([undefined, "text/plain; charset=utf-8"]) },
      idempotency: this.#chance(0.3)
        ? {
            key: this.#pick(["k1", "k2", "k3"]),
            digest: this.#chance(0.8) ? "same" : "other",
            keepMs: this.#pick([500, 20_000, 86_400_000]),
          }
        : undefined,
    };
  }

  #want(server: string): ServerWant {
    const models = this.#chance(0.5) ? this.#models : this.#models.filter(() => this.#chance(0.6));
    return {
      server,
      instance: this.#pick([undefined, "i1"]),
      limit: this.#pick([1, 3, 8]),
      max: this.#pick([0, 1, 3, 8]),
      models,
      background: this.#chance(0.6),
      cost: this.#pick([1, 2]),
    };
  }

  #settlement(held: Runner["held"][number]): Settlement {
    const { id, attempt, background } = held;
    const error = { code: "SERVER_TIMEOUT", message: "The server did not answer.", status: 504 };
    const bytes = new TextEncoder().encode(`result of ${id}`);
    const result = this.#chance(0.7)
      ? { sizeBytes: bytes.length, inline: bytes, status: 200, contentType: "application/json" }
      : { sizeBytes: 9e5, key: `results/${id}`, disposition: "attachment" };
    const releaseHold = this.#chance(0.5);
    switch (
      this.#pick([
        "sent",
        "running",
        "succeeded",
        "succeeded",
        "failed",
        "cancelled",
        "returned",
        "returned",
      ] as const)
    ) {
      case "sent":
        return { id, attempt, kind: "sent", server: held.server, instance: this.#pick([undefined, "i2"]) };
      case "running":
        return background
          ? { id, attempt, kind: "running", runId: this.#pick([undefined, "run-1"]) }
          : { id, attempt, kind: "sent", server: held.server };
      case "succeeded":
        return { id, attempt, kind: "succeeded", result, releaseHold };
      case "failed":
        return {
          id,
          attempt,
          kind: "failed",
          error,
          result: this.#chance(0.5) ? result : undefined,
          releaseHold,
        };
      case "cancelled":
        return { id, attempt, kind: "cancelled", releaseHold };
      case "returned": {
        const counts = this.#chance(0.5);
        return {
          id,
          attempt,
          kind: "returned",
          counts,
          delayMs: this.#pick([0, 0, 200, 30_000]),
          error: counts ? error : undefined,
          releaseHold,
        };
      }
    }
  }

  #exchange(): RandomCall {
    const runner = this.#pick(this.#runners);
    const dice = this.#random();
    if (dice < 0.08 && runner.last !== undefined) return this.#exchangeCall(runner, runner.last, 0.5);
    if (dice < 0.11 && runner.last !== undefined) {
      const stale = { ...runner.last, sequence: Math.max(1, runner.last.sequence - 1) };
      return { name: "stale exchange", run: (ledger) => ledger.exchange(stale).then(plain) };
    }
    if (dice < 0.14) {
      runner.incarnation += 1;
      Object.assign(runner, { sequence: 0, acknowledged: 0, held: this.#chance(0.5) ? [] : runner.held });
    }
    runner.sequence += 1;
    const settled = runner.held.filter(() => this.#chance(0.4));
    const servers = ["s1", "s2", "s3"].filter(() => this.#chance(0.7));
    if (this.#chance(0.05)) servers.push("s1");
    const foreign = this.#chance(0.1)
      ? [{ id: this.#anyId(), attempt: this.#pick([0, 1, 2]), background: false, server: "s1" }]
      : [];
    const request: ExchangeRequest = {
      runner: runner.name,
      incarnation: String(runner.incarnation),
      sequence: runner.sequence,
      acknowledged: runner.acknowledged,
      leaseMs: this.#pick([10_000, 60_000]),
      settle: [...settled, ...foreign].map((held) => this.#settlement(held)),
      renew: [...runner.held.filter(() => this.#chance(0.5)), ...foreign].map(({ id, attempt }) => ({
        id,
        attempt,
        sent: this.#chance(0.4),
      })),
      want: servers.map((server) => this.#want(server)),
      recover: this.#chance(0.3) ? 1000 : 0,
      release: this.#chance(0.2)
        ? [{ server: this.#pick(["s1", "s2"]), id: this.#anyId(), attempt: this.#pick([1, 2]) }]
        : [],
    };
    return this.#exchangeCall(runner, request, 0.85);
  }

  /** A reply that is lost is not acknowledged, and its grants are not known. */
  #exchangeCall(runner: Runner, request: ExchangeRequest, arrives: number): RandomCall {
    runner.last = request;
    const hasArrived = this.#chance(arrives);
    return {
      name: "exchange",
      run: (ledger) => ledger.exchange(request).then(plain),
      learn: (answer) => {
        const reply = answer as ExchangeReply;
        if (!hasArrived) return;
        runner.acknowledged = Math.max(runner.acknowledged, request.sequence);
        runner.held.push(
          ...reply.grants.map(({ attempt, server, task }) => ({
            id: task.id,
            attempt,
            background: task.background,
            server,
          })),
        );
        if (runner.held.length > 30) runner.held = runner.held.slice(-20);
      },
    };
  }

  #amend(): RandomCall {
    const id = this.#anyId();
    const isCancel = this.#chance(0.5);
    const priority = this.#pick([0, 3, 10]);
    return {
      name: "amend",
      run: (ledger) =>
        ledger.amend([
          isCancel ? { kind: "cancel", id } : { kind: "reprioritise", id, priority, boostMs: 3_600_000 },
        ]),
    };
  }

  #sweep(): RandomCall {
    const unserved = this.#chance(0.2) ? [this.#pick(this.#models)] : [];
    const failing = this.#chance(0.2) ? [this.#failing(), this.#failing()] : undefined;
    const retention = this.#chance(0.4)
      ? { payloadMs: 1000, resultMs: 20_000, rowMs: this.#pick([150_000, 1e9]) }
      : undefined;
    return {
      name: "sweep",
      async run(ledger) {
        const { returned, ended, unreferencedKeys, more } = await ledger.sweep({
          limit: 1e6,
          unserved,
          failing,
          retention,
        });
        return {
          returned: byId(returned),
          ended: byId(ended),
          unreferencedKeys: [...unreferencedKeys].sort(),
          more,
        };
      },
    };
  }

  #failing(): FailingLane {
    const message = this.#pick([...TEXTS, "a\0b \ud800", "x".repeat(1024)]);
    const error = {
      code: this.#pick(["START_FAILED", "HOST_FULL"]),
      message,
      status: this.#pick([undefined, 500]),
    };
    return { model: this.#chance(0.1) ? "bad\0model" : this.#pick(this.#models), error };
  }

  #get(): RandomCall {
    const ids = [this.#anyId(), this.#anyId()];
    const bodies = this.#pick(["none", "payload", "result"] as const);
    return { name: "get", run: (ledger) => ledger.get(ids, { bodies }) };
  }

  #list(): RandomCall {
    const owner = this.#pick([undefined, "anna"]);
    const states = this.#pick([undefined, ["pending", "failed"] as const]);
    return {
      name: "list",
      async run(ledger) {
        const found: unknown[] = [];
        let cursor: string | undefined;
        do {
          const page = await ledger.list({ limit: 7, filter: { owner, states }, cursor });
          found.push(...page.items);
          cursor = page.nextCursor;
        } while (cursor !== undefined);
        return found;
      },
    };
  }

  /** All that a ledger knows. */
  async everything(ledger: Ledger): Promise<unknown> {
    const ids = [...new Set(this.#ids)];
    return {
      payloads: await ledger.get(ids, { bodies: "payload" }),
      results: await ledger.get(ids, { bodies: "result" }),
      stats: sortLanes(await ledger.stats()),
    };
  }
}

/** Recoveries come in no order that anybody may count on. */
function plain(reply: ExchangeReply): unknown {
  const recoveries = reply.grants.filter(({ kind }) => kind === "recover");
  const runs = reply.grants.filter(({ kind }) => kind === "run");
  return { ...reply, grants: [...recoveries.sort((a, b) => (a.task.id < b.task.id ? -1 : 1)), ...runs] };
}

function byId<T extends { readonly id: string }>(tasks: readonly T[]): T[] {
  return [...tasks].sort((a, b) => (a.id < b.id ? -1 : 1));
}

function sortLanes(stats: Awaited<ReturnType<Ledger["stats"]>>): unknown {
  return { ...stats, lanes: [...stats.lanes].sort((a, b) => (a.model < b.model ? -1 : 1)) };
}
