import assert from "node:assert/strict";
import type { ApplyReply } from "../../contracts/task-store.ts";
import {
  abandoned,
  newTask,
  newTraining,
  returned,
  running,
  SHORT_MS,
  sent,
  succeeded,
} from "../support/builders.ts";
import { plain, sorted } from "../support/checks.ts";
import type { TaskStoreTest } from "./fixture.ts";
import { claimOf, StoreRunner } from "./support.ts";

function returnedBy({ returned: tasks }: ApplyReply): string[] {
  for (const { id, state } of tasks) assert.equal(state, "pending", `${id} waits`);
  return sorted(tasks.map(({ id }) => id));
}

export const applying: readonly TaskStoreTest[] = [
  {
    name: "what waits again because of an apply is named by its reply",
    async run({ store }) {
      const runner = new StoreRunner(store);
      await store.insert(["back", "left", "ended", "kept"].map((id) => newTask(id)));
      await store.insert([newTask("gone", { repeatable: false })]);
      const grants = [];
      for (const id of ["back", "left", "ended", "gone"]) grants.push(await runner.grant(id));
      const [back, left, ended, gone] = grants;
      assert.ok(back !== undefined && left !== undefined && ended !== undefined && gone !== undefined);
      const settle = [returned(back, { delayMs: SHORT_MS }), abandoned(left), succeeded(ended)];
      const reply = await runner.apply({ settle: [...settle, sent(gone), abandoned(gone)] });
      assert.deepEqual(returnedBy(reply), ["back", "left"]);
      assert.ok(reply.returned.find(({ id }) => id === "back")?.notBeforeAtMs !== undefined);
      assert.deepEqual(returnedBy(await runner.apply()), []);
    },
  },
  {
    name: "a repeated apply names again what it handed back and still waits",
    async run({ store }) {
      const runner = new StoreRunner(store);
      await store.insert(["a", "b"].map((id) => newTask(id)));
      const settle = [returned(await runner.grant("a")), returned(await runner.grant("b"))];
      const request = runner.next({ settle });
      assert.deepEqual(returnedBy(await store.apply(request)), ["a", "b"]);
      await store.amend([{ kind: "cancel", id: "a" }]);
      assert.deepEqual(returnedBy(await store.apply(request)), ["b"]);
    },
  },
  {
    name: "grants whose reply was lost, and those of an earlier incarnation, are named when they wait again",
    async run({ store }) {
      const runner = new StoreRunner(store);
      await store.insert(["lost", "held"].map((id) => newTask(id)));
      await store.apply(runner.next());
      await runner.claim(claimOf("lost"));
      // The reply to the last sequence never came.
      assert.deepEqual(returnedBy(await runner.apply()), ["lost"]);
      await runner.claim(claimOf("held"));
      await runner.apply();
      runner.incarnation = "two";
      runner.sequence = 0;
      assert.deepEqual(returnedBy(await runner.apply()), ["held"]);
    },
  },
  {
    name: "the load of the servers that are asked for is told: slots in use, holds, and orphan holds",
    async run({ store }) {
      const runner = new StoreRunner(store);
      await store.insert([newTask("a"), newTask("b"), newTask("c"), newTraining("d"), newTraining("e")]);
      for (const id of ["a", "b"]) await runner.grant(id, "s");
      await runner.grant("c", "t");
      const orphan = await runner.grant("d", "s");
      const runs = await runner.grant("e", "u");
      const settle = [succeeded(orphan, { releaseHold: false }), running(runs)];
      const reply = await runner.apply({ settle, servers: ["s", "u", "v"] });
      assert.deepEqual({ ...reply.used }, { s: 2, u: 0, v: 0 });
      assert.deepEqual(sorted(reply.held), ["s", "u"]);
      assert.deepEqual(plain(reply.orphanHolds), [{ server: "s", id: "d", attempt: 1 }]);
    },
  },
];
