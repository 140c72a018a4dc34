import assert from "node:assert/strict";
import type { OperationOptions } from "../../contracts/common.ts";
import type { Queue } from "../../contracts/queue.ts";
import { LONG_MS } from "../support/builders.ts";
import { rejectsWith } from "../support/checks.ts";
import { entryOf, idsOf, type QueueTest, take } from "./fixture.ts";

/** Every method, each with something to do for a queue in which `a` waits and whose delivery `receipt` is out. */
function callsOf(
  queue: Queue,
  receipt: string,
): Record<string, (options?: OperationOptions) => Promise<unknown>> {
  const lanes = [{ lane: "m", max: 9, background: false }];
  const keyed = {
    remove: (options?: OperationOptions) => queue.remove(["a"], options),
    audit: (options?: OperationOptions) => queue.audit(undefined, 9, options),
  };
  return {
    enqueue: (options) => queue.enqueue([entryOf("new")], options),
    take: (options) => queue.take({ lanes, max: 9, visibilityMs: LONG_MS }, options),
    settle: (options) => queue.settle([{ receipt, kind: "back", delayMs: 0 }], options),
    stats: (options) => queue.stats(options),
    incarnation: (options) => queue.incarnation(options),
    ...(queue.capabilities.keyed ? keyed : {}),
  };
}

export const lifecycle: readonly QueueTest[] = [
  {
    name: "a call whose signal was aborted before rejects with the signal's reason, and does nothing",
    async run({ queue }) {
      await queue.enqueue([entryOf("out")]);
      const [out] = await take(queue);
      await queue.enqueue([entryOf("a")]);
      for (const [name, call] of Object.entries(callsOf(queue, out?.receipt ?? ""))) {
        const reason = { why: name };
        const error = await call({ signal: AbortSignal.abort(reason) }).then(
          () => "it resolved",
          (thrown: unknown) => thrown,
        );
        assert.equal(error, reason, name);
      }
      assert.deepEqual(idsOf(await take(queue)), ["a"]);
    },
  },
  {
    name: "a closed queue rejects every call with CLOSED, however often it is closed",
    async run({ queue }) {
      await queue.enqueue([entryOf("a")]);
      await Promise.all([queue.close(), queue.close()]);
      for (const call of Object.values(callsOf(queue, "receipt"))) await rejectsWith("CLOSED", call());
      await queue.close();
    },
  },
];
