import { queueKit, runKitTest } from "@modelgate/core/testing";
import { describe, expect, it } from "vitest";
import { type RedisScript, redisScript } from "../../src/redis/connection.ts";
import type { QueueHost } from "../../src/redis/queue-host.ts";
import { ENQUEUE } from "../../src/redis/scripts/enqueue.ts";
import { INCARNATION, STATS } from "../../src/redis/scripts/look.ts";
import { REMOVE } from "../../src/redis/scripts/remove.ts";
import { SETTLE } from "../../src/redis/scripts/settle.ts";
import { TAKE } from "../../src/redis/scripts/take.ts";
import { requireService } from "../support/services.ts";
import { queueFixture } from "./queue-fixture.ts";

const url = requireService("REDIS_URL");

interface BrokenScript {
  readonly fault: string;
  readonly caughtBy: string;
  readonly script: RedisScript;
  /** What stands there, and what stands there instead. */
  readonly line: string;
  readonly instead: string;
}

const BROKEN: readonly BrokenScript[] = [
  {
    fault: "leaves an entry where it was when it is enqueued again",
    caughtBy: "an id that is enqueued again takes its new lane",
    script: ENQUEUE,
    line: "call('ZREM', ready, unpack(members))",
    instead: "",
  },
  {
    fault: "hands out what is not yet due",
    caughtBy: "an entry is handed out after its delay, and not before",
    script: ENQUEUE,
    line: "time + delay",
    instead: "time",
  },
  {
    fault: "leaves in its place what it hands out",
    caughtBy: "an entry that was handed out is handed out to nobody else at the same time",
    script: TAKE,
    line: "call('ZREM', ready, unpack(taken))",
    instead: "",
  },
  {
    fault: "empties one lane after the other",
    caughtBy: "the lowest rank of all lanes that are asked for is handed out first",
    script: TAKE,
    line: "if a.high ~= b.high then return a.high < b.high end",
    instead: "if true then return false end",
  },
  {
    fault: "reads no more of a lane than its first piece",
    caughtBy: "the lowest rank of all lanes that are asked for is handed out first",
    script: TAKE,
    line: "if #head.members < head.asked then return false end",
    instead: "if true then return false end",
  },
  {
    fault: "forgets what was handed out and not settled",
    caughtBy: "an entry that was handed out is out of sight until its time is over, and then comes again",
    script: TAKE,
    line: "has_more = promote(delivered, time) or has_more",
    instead: "",
  },
  {
    fault: "takes any receipt of an entry for that of its delivery",
    caughtBy: "a receipt settles its own delivery only, not a later one of the same entry",
    script: SETTLE,
    line: "and string.sub(known[at], 1, #stamp) == stamp",
    instead: "and #known[at] > #stamp",
  },
  {
    fault: "lets what is done with come again",
    caughtBy: "a delivery that is done with never comes again",
    script: SETTLE,
    line: "if call('ZREM', delivered, unpack(settled)) < #settled then",
    instead: "call('ZADD', ready, 0, members[1]) if false then",
  },
  {
    fault: "leaves to its taker what it takes out",
    caughtBy: "what is removed is handed out no more, whether it waited, was delayed or delivered",
    script: REMOVE,
    line: "call('ZREM', ready, unpack(members))",
    instead: "",
  },
  {
    fault: "counts what it handed out among what waits",
    caughtBy: "what waits and what is delivered is counted, the delayed among what waits",
    script: STATS,
    line: "call('ZCOUNT', delivered, '(' .. time, '+inf')",
    instead: "0",
  },
  {
    fault: "gives the queue one mark for ever",
    caughtBy: "the incarnation changes when what was in it is lost",
    script: INCARNATION,
    line: "found = ARGV[1]",
    instead: "found = 'mark'",
  },
];

describe.skipIf(url === undefined)("the kit finds a Redis queue that", () => {
  for (const { fault, caughtBy, script, line, instead } of BROKEN) {
    it.concurrent(fault, async () => {
      expect(script.lua.split(line).length, "the line is there once").toBe(2);
      const broken = redisScript(script.lua.replace(line, instead));
      const disguise = (host: QueueHost): QueueHost => ({
        evaluate: (asked, ...rest) => host.evaluate(asked === script ? broken : asked, ...rest),
      });
      const test = queueKit.tests.find(({ name }) => name === caughtBy);
      if (test === undefined) throw new Error(`the kit has no test "${caughtBy}"`);
      const outcome = runKitTest(test, () => queueFixture(url ?? "", disguise));
      // By its own judgement, and not because the server refused the script.
      await expect(outcome).rejects.toMatchObject({ code: "ERR_ASSERTION" });
    });
  }
});
