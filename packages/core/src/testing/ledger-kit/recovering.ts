import assert from "node:assert/strict";
import type { Ledger, Settlement } from "../../contracts/ledger.ts";
import type { TaskRecord } from "../../contracts/task.ts";
import {
  abandoned,
  newTask,
  newTraining,
  refOf,
  running,
  SHORT_MS,
  sent,
  succeeded,
  wantOf,
} from "../support/builders.ts";
import { elapse, matches, read, sorted } from "../support/checks.ts";
import { brief, KitRunner } from "../support/kit-runner.ts";
import { clientsOf, type LedgerTest, pairOf, sweepAll } from "./fixture.ts";

/** Tasks that run at servers of their own and that nobody watches any more. */
async function abandonRuns(ledger: Ledger, ids: readonly string[]): Promise<void> {
  const runner = new KitRunner(ledger, "gone");
  await ledger.submit(ids.map((id) => newTraining(id)));
  for (const id of ids) {
    const grant = await runner.grant(wantOf(`server of ${id}`, { instance: "one" }));
    await runner.settle(running(grant), abandoned(grant));
  }
}

function abandonedOf({ id, attempt }: TaskRecord): Settlement {
  return { id, attempt, kind: "abandoned" };
}

export const recovering: readonly LedgerTest[] = [
  {
    name: "what was sent and must not be sent twice is recovered after its lease, never run again",
    async run(fixture) {
      const [ledger, other] = await pairOf(fixture);
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("once", { repeatable: false }), newTask("runs")]);
      const grants = await runner.grants(wantOf("s"));
      await runner.exchange({
        settle: grants.map((grant) => (grant.task.id === "runs" ? running(grant) : sent(grant))),
        renew: grants.map((grant) => ({ ...refOf(grant), sent: true })),
        leaseMs: SHORT_MS,
      });
      await elapse(fixture, SHORT_MS);
      assert.deepEqual((await sweepAll(other)).returned, []);
      const later = new KitRunner(other, "later");
      assert.deepEqual(await later.grants(wantOf("s"), wantOf("t")), []);
      const recovered = brief((await later.exchange({ recover: 9 })).grants);
      assert.deepEqual(sorted(recovered), ["recover once@s#2", "recover runs@s#2"]);
    },
  },
  {
    name: "a recovering attempt keeps server, run and the time of sending, and takes no slot",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      const lane = { models: ["n"], limit: 1, instance: "one" };
      await ledger.submit(["sent", "runs"].map((id) => newTask(id, { model: "n", repeatable: false })));
      for (const server of ["s", "t"]) {
        const grant = await runner.grant(wantOf(server, lane));
        const said = [sent(grant), ...(grant.task.id === "runs" ? [running(grant, { runId: "run 1" })] : [])];
        await runner.settle(...said);
      }
      const before = await ledger.get(["sent", "runs"]);
      await runner.settle(...before.flatMap((task) => (task ? [abandonedOf(task)] : [])));
      await ledger.submit([newTask("b"), newTask("c")]);
      const want = ["s", "t"].map((server) => wantOf(server, { limit: 1 }));
      const { grants } = await new KitRunner(ledger, "later").exchange({ want, recover: 9 });
      const fresh = grants.filter(({ kind }) => kind === "run").map(({ server }) => server);
      assert.deepEqual(sorted(fresh), ["s", "t"], "slots beside those who recover");
      for (const task of before) {
        assert.ok(task !== undefined);
        const { id, server, instance, runId, sentAtMs } = task;
        const kept = { server, instance, runId, sentAtMs, recovering: true, attempt: 2 };
        const recovery = grants.find((each) => each.kind === "recover" && each.task.id === id);
        for (const found of [recovery?.task, await read(ledger, id)]) matches(found, kept, id);
      }
    },
  },
  {
    name: "an exchange recovers no more than it asks for, and nothing unasked",
    async run({ ledger }) {
      await abandonRuns(ledger, ["a", "b", "c"]);
      const runner = new KitRunner(ledger);
      const counts: number[] = [];
      for (const recover of [0, 2, 0, 5, 5]) counts.push((await runner.exchange({ recover })).grants.length);
      assert.deepEqual(counts, [0, 2, 0, 1, 0]);
    },
  },
  {
    name: "a task to be recovered goes to one of many runners that ask at once",
    async run(fixture) {
      const clients = await clientsOf(fixture, 3);
      const ids = Array.from({ length: 8 }, (_, at) => `t${at}`);
      await abandonRuns(fixture.ledger, ids);
      const calls = clients.map((client, at) =>
        new KitRunner(client, `runner-${at}`).exchange({ recover: 8 }),
      );
      const recovered = (await Promise.all(calls)).flatMap(({ grants }) => grants);
      assert.deepEqual(sorted(recovered.map(({ task }) => task.id)), ids);
    },
  },
  {
    name: "a recovering attempt whose lease ends leaves its task to be recovered again",
    async run(fixture) {
      const { ledger } = fixture;
      await abandonRuns(ledger, ["a"]);
      await new KitRunner(ledger).exchange({ recover: 1, leaseMs: SHORT_MS });
      await elapse(fixture, SHORT_MS);
      await sweepAll(ledger);
      const later = new KitRunner(ledger, "later");
      const [grant] = (await later.exchange({ recover: 1 })).grants;
      assert.ok(grant !== undefined);
      assert.deepEqual(brief([grant]), ["recover a@server of a#3"]);
      assert.deepEqual(await later.settle(succeeded(grant)), ["accepted"]);
      assert.equal((await read(ledger, "a")).state, "succeeded");
    },
  },
  {
    name: "work that is abandoned before it was sent is granted again",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("a", { repeatable: false })]);
      await runner.settle(abandoned(await runner.grant(wantOf("s"))));
      const [grant] = await runner.grants(wantOf("s"));
      assert.deepEqual([grant?.task.id, grant?.attempt], ["a", 2]);
    },
  },
];
