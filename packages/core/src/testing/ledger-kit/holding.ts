import assert from "node:assert/strict";
import { abandoned, newTraining, returned, running, succeeded, wantOf } from "../support/builders.ts";
import { plain } from "../support/checks.ts";
import { brief, KitRunner } from "../support/kit-runner.ts";
import { clientsOf, type LedgerTest } from "./fixture.ts";

/** Holds that background work takes of servers. */
export const holding: readonly LedgerTest[] = [
  {
    name: "a server is held by one background task only, also when several runners ask at once",
    async run(fixture) {
      const clients = await clientsOf(fixture, 4);
      const ids = Array.from({ length: 8 }, (_, at) => `train-${at}`);
      await fixture.ledger.submit(ids.map((id) => newTraining(id)));
      const runners = clients.map((client, at) => new KitRunner(client, `runner-${at}`));
      const calls = runners.map((runner) => runner.grants(wantOf("s"), wantOf("t")));
      const servers = (await Promise.all(calls)).flat().map(({ server }) => server);
      assert.deepEqual(servers.sort(), ["s", "t"]);
      for (const runner of runners) assert.deepEqual(await runner.grants(wantOf("s"), wantOf("t")), []);
    },
  },
  {
    name: "work that runs keeps its hold",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit([newTraining("a"), newTraining("b")]);
      await runner.settle(running(await runner.grant(wantOf("s"))));
      assert.deepEqual(await runner.grants(wantOf("s")), []);
    },
  },
  {
    name: "a hold outlives its task when the ending does not release it",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit([newTraining("a"), newTraining("b")]);
      const grant = await runner.grant(wantOf("s"));
      const settle = [succeeded(grant, { releaseHold: false })];
      const { settled, grants } = await runner.exchange({ settle, want: [wantOf("s")] });
      assert.deepEqual([settled, grants], [[{ outcome: "accepted" }], []]);
      assert.deepEqual(await runner.grants(wantOf("s")), []);
    },
  },
  {
    name: "an ending that releases the hold frees the server at once",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit([newTraining("a"), newTraining("b")]);
      const first = await runner.grant(wantOf("s"));
      const { grants } = await runner.exchange({ settle: [succeeded(first)], want: [wantOf("s")] });
      assert.deepEqual(brief(grants), [first.task.id === "a" ? "b@s#1" : "a@s#1"]);
    },
  },
  {
    name: "a hold that nobody looks after is told to who wants its server, and nobody else",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit([newTraining("a")]);
      const grant = await runner.grant(wantOf("s", { instance: "one" }));
      const none = wantOf("s", { models: [] });
      const elsewhere = wantOf("t", { models: [] });
      assert.deepEqual((await runner.exchange({ want: [none] })).orphanHolds, [], "its task is at work");
      await runner.settle(returned(grant, { releaseHold: false }));
      const other = new KitRunner(ledger, "other");
      const { orphanHolds } = await other.exchange({ want: [none, elsewhere] });
      assert.deepEqual(plain(orphanHolds), [{ server: "s", id: "a", attempt: 1, instance: "one" }]);
      assert.deepEqual((await other.exchange({ want: [elsewhere] })).orphanHolds, []);
      assert.deepEqual(brief(await other.grants(wantOf("t"))), ["a@t#2"]);
      const again = await runner.exchange({ want: [none, elsewhere] });
      assert.deepEqual(plain(again.orphanHolds), plain(orphanHolds), "its task is at work on another server");
    },
  },
  {
    name: "a hold is released by server, task and attempt, all three of which must be right",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit([newTraining("a")]);
      const grant = await runner.grant(wantOf("s"));
      await runner.settle(returned(grant, { releaseHold: false }));
      const right = { server: "s", id: "a", attempt: 1 };
      const wrong = [
        { ...right, attempt: 2 },
        { ...right, id: "b" },
        { ...right, server: "t" },
      ];
      const { grants } = await runner.exchange({ release: wrong, want: [wantOf("s")] });
      assert.deepEqual(grants, [], "another hold than its own was released");
      const freed = await runner.exchange({ release: [right], want: [wantOf("s")] });
      assert.deepEqual(brief(freed.grants), ["a@s#2"]);
      assert.deepEqual(freed.orphanHolds, []);
    },
  },
  {
    name: "a hold that a later attempt has taken over is not released for an earlier one",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit([newTraining("a")]);
      await runner.settle(returned(await runner.grant(wantOf("s"))));
      assert.deepEqual(brief(await runner.grants(wantOf("s"))), ["a@s#2"]);
      await ledger.submit([newTraining("b")]);
      const release = [{ server: "s", id: "a", attempt: 1 }];
      assert.deepEqual((await runner.exchange({ release, want: [wantOf("s")] })).grants, []);
    },
  },
  {
    name: "a server stays held while its work waits to be recovered",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit([newTraining("a"), newTraining("b")]);
      const grant = await runner.grant(wantOf("s"));
      await runner.settle(running(grant), abandoned(grant));
      const { grants, orphanHolds } = await runner.exchange({ want: [wantOf("s")] });
      assert.deepEqual([grants, orphanHolds], [[], []]);
    },
  },
];
