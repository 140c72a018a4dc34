import { describe, expect, it } from "vitest";
import type { Clock } from "../../src/contracts/clock.ts";
import type { ExchangeRequest, Ledger, NewTask, Settlement } from "../../src/contracts/ledger.ts";
import { memoryLedger } from "../../src/memory/ledger.ts";
import { DEFAULT_BOOST_MS } from "../../src/scheduler/rank.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function newTask(id: string, priority: number): NewTask {
  return {
    ...{
      id,
      priority,
      model: "m",
      operation: "process",
      owner: "",
      query: "",
      repeatable: true,
      background: false,
    },
    ...{
      maxFailures: 5,
      boostMs: DEFAULT_BOOST_MS,
      waitMs: 100 * HOUR,
      payload: { sizeBytes: 0, inline: new Uint8Array() },
    },
  };
}

/** One server with one slot, driven by hand. */
class OneSlot {
  readonly ledger: Ledger;
  nowMs = 1_700_000_000_000;
  #sequence = 0;

  constructor() {
    const clock: Clock = { now: () => this.nowMs, monotonic: () => this.nowMs, after: () => () => {} };
    this.ledger = memoryLedger({ clock, random: () => 0.5 });
  }

  /** Ends the task in the slot, if there is one, and tells which one is granted next. */
  async next(
    settle: readonly Settlement[] = [],
  ): Promise<{ id: string; settlement: Settlement } | undefined> {
    this.#sequence += 1;
    const want = { server: "s", limit: 1, max: 1, models: ["m"], background: true, cost: 0 };
    const request: ExchangeRequest = {
      ...{
        runner: "r",
        incarnation: "i",
        sequence: this.#sequence,
        acknowledged: this.#sequence - 1,
        leaseMs: HOUR,
      },
      ...{ settle, renew: [], want: [want], recover: 0, release: [] },
    };
    const [grant] = (await this.ledger.exchange(request)).grants;
    if (grant === undefined) return undefined;
    const settlement: Settlement = {
      ...{ id: grant.task.id, attempt: grant.attempt, kind: "succeeded", releaseHold: true },
      result: { sizeBytes: 0, inline: new Uint8Array() },
    };
    return { id: grant.task.id, settlement };
  }
}

describe("an urgent task over a backlog", () => {
  it("starts next, though 10,000 background tasks have waited for 30 minutes", async () => {
    const slot = new OneSlot();
    await slot.ledger.submit(Array.from({ length: 10_000 }, (_, at) => newTask(`background-${at}`, 0)));
    const running = await slot.next();
    expect(running?.id).toMatch(/^background-/);
    slot.nowMs += 30 * MINUTE;
    await slot.ledger.submit([newTask("urgent", 10)]);
    expect((await slot.next(running === undefined ? [] : [running.settlement]))?.id).toBe("urgent");
  });

  it("does not let a background task wait for ever, though urgent ones never stop coming", async () => {
    const slot = new OneSlot();
    await slot.ledger.submit([newTask("background", 0)]);
    let settle: readonly Settlement[] = [];
    let waitedMs = 0;
    for (let at = 0; ; at += 1) {
      await slot.ledger.submit([newTask(`urgent-${at}-a`, 10), newTask(`urgent-${at}-b`, 10)]);
      const next = await slot.next(settle);
      if (next?.id === "background") break;
      expect(waitedMs).toBeLessThanOrEqual(21 * HOUR);
      settle = next === undefined ? [] : [next.settlement];
      slot.nowMs += MINUTE;
      waitedMs += MINUTE;
    }
    // Ten levels of priority are worth ten hours of waiting. The urgent ones of those ten hours go first, and at two
    // a minute for one slot that takes twenty.
    expect(waitedMs).toBeGreaterThan(19 * HOUR);
  });
});
