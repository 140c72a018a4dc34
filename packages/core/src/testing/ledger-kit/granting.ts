import assert from "node:assert/strict";
import {
  LONG_MS,
  newTask,
  newTraining,
  PAYLOAD,
  returned,
  running,
  sent,
  succeeded,
  wantOf,
} from "../support/builders.ts";
import { elapse, isNear, matches, read, sameBytes, sorted } from "../support/checks.ts";
import { brief, KitRunner } from "../support/kit-runner.ts";
import { NEAR_NAMES } from "../support/samples.ts";
import { clientsOf, type LedgerTest, pairOf } from "./fixture.ts";

export const granting: readonly LedgerTest[] = [
  {
    name: "a grant hands over the task, which is scheduled now, its attempt and a server",
    async run({ ledger }) {
      await ledger.submit([newTask("a")]);
      const want = wantOf("s", { instance: "one" });
      const { grants, nowMs } = await new KitRunner(ledger).exchange({ want: [want] });
      const [grant] = grants;
      matches(grant, { kind: "run", attempt: 1, server: "s" }, "the grant");
      sameBytes(grant?.task.payload.inline, PAYLOAD, "the granted payload");
      const held = { id: "a", state: "scheduled", attempt: 1, server: "s", instance: "one" } as const;
      for (const task of [grant?.task, await read(ledger, "a")]) {
        matches(task, { ...held, recovering: false, sentAtMs: undefined }, "the task");
        assert.ok(task?.holder !== undefined, "it has a holder");
        isNear(task.startedAtMs, nowMs, "startedAtMs");
        isNear(task.leaseExpiresAtMs, nowMs + LONG_MS, "leaseExpiresAtMs");
      }
    },
  },
  {
    name: "every grant of a task mints the next attempt, which begins anew, and the first start stays",
    async run(fixture) {
      const clients = await pairOf(fixture);
      await fixture.ledger.submit([newTask("a")]);
      let startedAtMs: number | undefined;
      for (let attempt = 1; attempt <= 4; attempt += 1) {
        const runner = new KitRunner(clients[attempt % 2] ?? fixture.ledger, `runner-${attempt}`);
        const grant = await runner.grant(wantOf(`s${attempt}`));
        assert.equal(grant.attempt, attempt);
        startedAtMs ??= grant.task.startedAtMs;
        matches(grant.task, { sentAtMs: undefined, runId: undefined, startedAtMs }, "the task");
        await runner.settle(sent(grant), running(grant), returned(grant));
        await elapse(fixture, 5);
      }
    },
  },
  {
    name: "a server is given tasks of the lanes that it serves, whose names are told apart exactly",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit(NEAR_NAMES.map((model, at) => newTask(`t${at}`, { model })));
      assert.deepEqual(await runner.grants(wantOf("s", { models: ["NAME", "nam", "n*"] })), []);
      for (const [at, model] of NEAR_NAMES.entries()) {
        const grants = await runner.grants(wantOf(`s${at}`, { models: [model], limit: 99, max: 99 }));
        assert.deepEqual(brief(grants), [`t${at}@s${at}#1`], `lane "${model}"`);
      }
    },
  },
  {
    name: "a slot that an exchange frees is granted by the same exchange",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("a"), newTask("b")]);
      const want = wantOf("s", { limit: 1 });
      const first = await runner.grant(want);
      const { grants } = await runner.exchange({ settle: [succeeded(first)], want: [want] });
      assert.deepEqual(brief(grants), [first.task.id === "a" ? "b@s#1" : "a@s#1"]);
    },
  },
  {
    name: "background work takes no slot, and other work no hold",
    async run({ ledger }) {
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("a"), newTraining("train-1"), newTraining("train-2"), newTask("b")]);
      const full = await runner.grants(wantOf("s", { limit: 1 }));
      assert.deepEqual(
        full.filter(({ task }) => task.background).length,
        1,
        "a slot is taken, the hold is not",
      );
      const held = await runner.grants(wantOf("t", { limit: 1, max: 0 }));
      assert.deepEqual(held.filter(({ task }) => task.background).length, 1, "no slot may be granted");
      const other = await runner.grants(wantOf("t", { limit: 1 }));
      assert.deepEqual(
        other.filter(({ task }) => !task.background).length,
        1,
        "a hold is taken, the slot is not",
      );
    },
  },
  {
    name: "an exchange grants as many tasks as there is room for",
    async run({ ledger }) {
      await ledger.submit(Array.from({ length: 310 }, (_, at) => newTask(`t${at}`)));
      const grants = await new KitRunner(ledger).grants(wantOf("s", { limit: 300, max: 300 }));
      assert.equal(new Set(grants.map(({ task }) => task.id)).size, 300);
    },
  },
  {
    name: "a task goes to one of many runners that ask at once",
    async run(fixture) {
      const clients = await clientsOf(fixture, 3);
      const ids = Array.from({ length: 40 }, (_, at) => `t${at}`);
      await fixture.ledger.submit(ids.map((id) => newTask(id)));
      const calls = Array.from({ length: 6 }, (_, at) => {
        const runner = new KitRunner(clients[at % clients.length] ?? fixture.ledger, `runner-${at}`);
        return runner.grants(wantOf(`s${at}`, { limit: 20, max: 20 }));
      });
      const granted = (await Promise.all(calls)).flat().map(({ task }) => task.id);
      assert.deepEqual(sorted(granted), sorted(ids));
    },
  },
];
