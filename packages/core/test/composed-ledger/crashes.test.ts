import { describe, expect, it } from "vitest";
import { CHECKPOINTS, type Checkpoint, type CheckpointName } from "../../src/checkpoint.ts";
import { composeLedger } from "../../src/composed-ledger/compose-ledger.ts";
import type { Ledger, Settlement } from "../../src/contracts/ledger.ts";
import type { Queue } from "../../src/contracts/queue.ts";
import { memoryQueue } from "../../src/memory/queue.ts";
import { memoryTaskStore } from "../../src/memory/task-store.ts";
import { isTerminal } from "../../src/tasks/task-state.ts";
import { ManualClock } from "../discovery/manual-clock.ts";
import { LEASE_MS, newTask, returned, seeded, succeeded, TestRunner, want } from "../support/tasks.ts";

const NAMES: readonly CheckpointName[] = [
  ...CHECKPOINTS.filter((name) => name.startsWith("ledger.")),
  "reconciler.incarnation",
  "reconciler.list",
  "reconciler.audit",
  "reconciler.compare",
  "reconciler.remove",
  "reconciler.enqueue",
];
const TASKS = 24;
const CRASH = Symbol("crash");

type Mode = "crash" | "lost reply";

/** Breaks one await: never to return, as in a crash, or with its reply lost. */
class Breaker {
  hits = 0;
  readonly #name: CheckpointName;
  readonly #mode: Mode;
  readonly #occurrence: number;
  #seen = 0;
  #crash = (): void => {};
  crashed: Promise<typeof CRASH>;

  constructor(name: CheckpointName, mode: Mode, occurrence: number) {
    this.#name = name;
    this.#mode = mode;
    this.#occurrence = occurrence;
    this.crashed = this.#arm();
  }

  readonly checkpoint: Checkpoint = async (name, promise) => {
    const value = await promise;
    if (name !== this.#name) return value;
    this.#seen += 1;
    if (this.#seen !== this.#occurrence) return value;
    this.hits += 1;
    if (this.#mode === "lost reply") throw new Error("the reply was lost");
    this.#crash();
    return await new Promise<never>(() => {});
  };

  #arm(): Promise<typeof CRASH> {
    return new Promise((resolve) => {
      this.#crash = () => resolve(CRASH);
    });
  }
}

async function run(
  name: CheckpointName,
  mode: Mode,
  occurrence: number,
): Promise<{ hits: number; left: string[] }> {
  const clock = new ManualClock();
  const store = memoryTaskStore({ clock, random: seeded(1) });
  const queue = memoryQueue({ clock });
  const breaker = new Breaker(name, mode, occurrence);
  let takes = 0;
  const faltering: Queue = {
    ...queue,
    take: (request) => (++takes % 4 === 2 ? Promise.reject(new Error("away")) : queue.take(request)),
  };
  const random = seeded(occurrence * 100 + NAMES.indexOf(name));
  let lives = 0;
  let ledger!: Ledger;
  let runner!: TestRunner;
  const begin = (): void => {
    lives += 1;
    const options = { clock, checkpoint: breaker.checkpoint, pageSize: 5, auditPauseMs: 2000 };
    ledger = composeLedger(store, faltering, options);
    runner = new TestRunner(ledger);
    runner.restart(`life-${lives}`);
  };
  begin();
  /** A call whose reply may never come. Repeated after a lost reply; not after a crash. */
  const call = async <T>(make: () => Promise<T>): Promise<T | undefined> => {
    for (let tries = 0; tries < 3; tries += 1) {
      try {
        const told = await Promise.race([
          make(),
          lives === 1 ? breaker.crashed : new Promise<never>(() => {}),
        ]);
        if (told !== CRASH) return told as T;
        begin();
        return undefined;
      } catch {
        // The next try is a repetition.
      }
    }
    throw new Error("it failed three times");
  };

  let submitted = 0;
  let settle: Settlement[] = [];
  for (let round = 0; round < 150; round += 1) {
    if (submitted < TASKS) {
      const batch = [0, 1, 2].map((at) =>
        newTask(`t${submitted + at}`, { model: `m${at % 2}`, maxFailures: 50 }),
      );
      // Whoever submits and hears nothing submits again.
      if ((await call(() => ledger.submit(batch))) !== undefined) submitted += batch.length;
    }
    const wants = [want("s0", { models: ["m0", "m1"], limit: 2 }), want("s1", { models: ["m1"], limit: 2 })];
    const request = runner.next({ settle, want: wants, recover: 5 });
    settle = [];
    const reply = await call(() => ledger.exchange(request));
    if (reply !== undefined) {
      runner.acknowledged = reply.sequence;
      for (const grant of reply.grants) {
        const roll = random();
        if (roll < 0.5) settle.push(succeeded(grant));
        else if (roll < 0.8) settle.push(returned(grant, { delayMs: roll < 0.65 ? 0 : 400 }));
        // The others are forgotten, and their leases end.
      }
    }
    const ids = Array.from({ length: 2 }, () => `t${Math.floor(random() * TASKS)}`);
    if (round % 7 === 3) {
      await call(() =>
        ledger.amend(ids.map((id) => ({ kind: "reprioritise", id, priority: 7, boostMs: 5 }))),
      );
    }
    if (round === 20) await call(() => ledger.amend(ids.map((id) => ({ kind: "cancel", id }))));
    if (round === 30) queue.loseAll();
    // Something that the queue has too much, for the comparison to take out.
    if (round === 35)
      await queue.enqueue([{ id: "ghost", lane: "m9", background: false, rank: 0, delayMs: 0 }]);
    await call(() => ledger.sweep({ limit: 50, unserved: [] }));
    await clock.advance(round % 10 === 9 ? LEASE_MS : 300);
  }
  const { items } = await store.list({ limit: 1000 });
  const left = items.filter((task) => !isTerminal(task.state)).map(({ id, state }) => `${id} ${state}`);
  if (items.length !== TASKS) left.push(`${items.length} tasks`);
  return { hits: breaker.hits, left };
}

describe("a composed ledger loses nothing", () => {
  for (const mode of ["crash", "lost reply"] as const) {
    for (const name of NAMES) {
      it(`by a ${mode} at ${name}`, async () => {
        let hits = 0;
        for (const occurrence of [1, 2, 3, 5, 8]) {
          const outcome = await run(name, mode, occurrence);
          expect(outcome.left, `occurrence ${occurrence}`).toEqual([]);
          hits += outcome.hits;
        }
        // A test that broke nothing must not pass.
        expect(hits).toBeGreaterThan(0);
      });
    }
  }
});
