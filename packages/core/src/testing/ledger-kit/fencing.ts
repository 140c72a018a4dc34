import assert from "node:assert/strict";
import type { ExchangeReply, Grant, Settlement } from "../../contracts/ledger.ts";
import type { TaskRecord } from "../../contracts/task.ts";
import {
  abandoned,
  cancelled,
  failed,
  newTask,
  returned,
  running,
  SHORT_MS,
  sent,
  succeeded,
  wantOf,
} from "../support/builders.ts";
import { elapse, plain, read } from "../support/checks.ts";
import { brief, KitRunner } from "../support/kit-runner.ts";
import { type LedgerTest, pairOf, sweepAll } from "./fixture.ts";

const EVERY_KIND: readonly ((grant: Grant) => Settlement)[] = [
  succeeded,
  failed,
  cancelled,
  returned,
  abandoned,
  sent,
  running,
];

export const fencing: readonly LedgerTest[] = [
  {
    name: "who was away longer than its lease comes too late: it is told who holds the task and changes nothing",
    async run(fixture) {
      const [ledger, away] = await pairOf(fixture);
      const late = new KitRunner(away, "late");
      await ledger.submit([newTask("a")]);
      const lost = await late.grant(wantOf("s"), { leaseMs: SHORT_MS });
      const renew = [{ id: "a", attempt: lost.attempt, sent: true }];
      let before: TaskRecord | undefined;
      let first: Promise<ExchangeReply> | undefined;
      const meanwhile = async (): Promise<void> => {
        await elapse(fixture, SHORT_MS);
        await sweepAll(ledger);
        const grants = await new KitRunner(ledger, "other").grants(wantOf("s"));
        assert.deepEqual(brief(grants), ["a@s#2"]);
        before = plain(await read(ledger, "a"));
        // Under way while its client stands still.
        first = late.exchange({ settle: [succeeded(lost)], renew });
        first.catch(() => {});
      };
      if (fixture.whileStopped === undefined) await meanwhile();
      else await fixture.whileStopped(away, meanwhile);
      const replies = [await first];
      for (const kind of EVERY_KIND) replies.push(await late.exchange({ settle: [kind(lost)], renew }));
      for (const reply of replies) {
        const stale = [{ outcome: "stale", attempt: 2, state: "scheduled" }];
        assert.deepEqual([reply?.settled, reply?.renewed], [stale, stale]);
      }
      assert.deepEqual(plain(await read(ledger, "a")), before);
    },
  },
  {
    name: "a task that was taken back is no more its holder's, even if nobody else has been granted it",
    async run(fixture) {
      const [ledger, other] = await pairOf(fixture);
      const runner = new KitRunner(ledger);
      await ledger.submit([newTask("a")]);
      const lost = await runner.grant(wantOf("s"), { leaseMs: SHORT_MS });
      await elapse(fixture, SHORT_MS);
      await sweepAll(other);
      const renew = [{ id: "a", attempt: lost.attempt, sent: false }];
      const { settled, renewed } = await runner.exchange({ settle: [succeeded(lost)], renew });
      const stale = [{ outcome: "stale", attempt: 1, state: "pending" }];
      assert.deepEqual([settled, renewed], [stale, stale]);
      assert.equal((await read(ledger, "a")).state, "pending");
    },
  },
];
