import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Grant, Ledger } from "../../contracts/ledger.ts";
import { newTask, succeeded, wantOf } from "../support/builders.ts";
import { sorted } from "../support/checks.ts";
import { KitRunner } from "../support/kit-runner.ts";
import { clientsOf, type LedgerTest } from "./fixture.ts";

const LIMIT = 3;
const TASKS = 36;
const MOST_ROUNDS = 1000;
const WORK_MS = 1;

/** One runner after the other takes what there is room for; then one slot is freed. */
async function inTurn(clients: readonly Ledger[]): Promise<void> {
  const [one, other, third] = clients.map((client, at) => new KitRunner(client, `in-turn-${at}`));
  assert.ok(one !== undefined && other !== undefined && third !== undefined);
  const want = wantOf("in-turn", { limit: 2, max: 9, models: ["in-turn"] });
  await clients[0]?.submit(["a", "b", "c", "d", "e"].map((id) => newTask(id, { model: "in-turn" })));
  const first = await one.grant({ ...want, max: 1 });
  assert.equal((await other.grants(want)).length, 1, "the second of two slots");
  assert.equal((await third.grants(want)).length, 0, "both slots are taken by others");
  assert.equal(
    (await one.grants(want, want)).length,
    0,
    "both slots are taken, though it is asked for twice",
  );
  await one.settle(succeeded(first));
  assert.equal((await third.grants(want, want)).length, 1, "one slot is free, though it is asked for twice");
}

/** Counts what is at work as far as somebody outside can know: granted, and not yet about to be settled. */
class Work {
  readonly now = new Set<string>();
  readonly done: string[] = [];
  most = 0;

  begin(grants: readonly Grant[]): void {
    for (const { task } of grants) this.now.add(task.id);
    this.most = Math.max(this.most, this.now.size);
  }

  end(grants: readonly Grant[]): void {
    for (const { task } of grants) {
      this.now.delete(task.id);
      this.done.push(task.id);
    }
  }
}

/** Many runners ask for one server at once, again and again, until everything is done. */
async function allAtOnce(clients: readonly Ledger[]): Promise<void> {
  const ids = Array.from({ length: TASKS }, (_, at) => `t${at}`);
  await clients[0]?.submit(ids.map((id) => newTask(id)));
  const work = new Work();
  const want = [wantOf("s", { limit: LIMIT, max: LIMIT })];
  const workOn = async (ledger: Ledger, name: string): Promise<void> => {
    const runner = new KitRunner(ledger, name);
    let held: readonly Grant[] = [];
    for (let round = 0; round < MOST_ROUNDS && work.done.length < TASKS; round += 1) {
      work.end(held);
      const { settled, grants } = await runner.exchange({
        settle: held.map((grant) => succeeded(grant)),
        want,
      });
      for (const { outcome } of settled) assert.equal(outcome, "accepted");
      work.begin(grants);
      held = grants;
      // Long enough that what is granted too much is at work beside the others.
      await sleep(WORK_MS);
    }
  };
  await Promise.all(clients.flatMap((client, at) => [workOn(client, `a${at}`), workOn(client, `b${at}`)]));
  assert.ok(work.most <= LIMIT, `${work.most} tasks were at work on a server of ${LIMIT} slots`);
  assert.deepEqual(sorted(work.done), sorted(ids));
}

export const limits: readonly LedgerTest[] = [
  {
    name: "a server's limit holds over all runners and clients, also when they all ask at once",
    timeoutMs: 60_000,
    async run(fixture) {
      const clients = await clientsOf(fixture, 4);
      await inTurn(clients);
      await allAtOnce(clients);
    },
  },
];
