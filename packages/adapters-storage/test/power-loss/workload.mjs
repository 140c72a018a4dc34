// What runs until the power goes: senders that submit and a runner that settles. Each acknowledgement is written to a
// file of its own, so that it stands in the log between the syncs that it counts on.
import { openSync, writeSync } from "node:fs";

const [storeFile, directory, acknowledged, count] = process.argv.slice(2);
const { openSqliteStore } = await import(storeFile);
const { store } = openSqliteStore({ directory });
const { ledger } = store;
const file = openSync(acknowledged, "a");
const tell = (line) => writeSync(file, `${line}\n`);

/** The bytes of a task or its result, to be known again: pages of their own and in groups. */
export function bytesOf(text) {
  return new TextEncoder().encode(text.repeat(1 + ((text.length * 7919) % 200)));
}

let last = 0;
async function sender() {
  while (last < Number(count)) {
    last += 1;
    const id = `t${last}-${"x".repeat(last % 17)}`;
    const inline = bytesOf(`payload of ${id}`);
    const [outcome] = await ledger.submit([
      {
        id,
        model: `m${last % 5}`,
        operation: "process",
        owner: "",
        query: "",
        repeatable: true,
        background: false,
        maxFailures: 5,
        priority: 5,
        boostMs: 3_600_000,
        waitMs: 86_400_000,
        payload: { sizeBytes: inline.length, inline },
      },
    ]);
    if (outcome.outcome !== "accepted") throw outcome.error;
    tell(`accepted ${id}`);
  }
}

let isOver = false;
async function runner() {
  let settle = [];
  const models = ["m0", "m1", "m2"];
  for (let sequence = 1; !isOver; sequence += 1) {
    const { settled, grants } = await ledger.exchange({
      runner: "r",
      incarnation: "1",
      sequence,
      acknowledged: sequence - 1,
      leaseMs: 60_000,
      settle,
      renew: [],
      want: [{ server: "s", limit: 64, max: 16, models, background: false, cost: 1 }],
      recover: 0,
      release: [],
    });
    for (const [index, { outcome }] of settled.entries())
      if (outcome === "accepted") tell(`settled ${settle[index].id}`);
    settle = grants.map(({ task, attempt }) => {
      const inline = bytesOf(`result of ${task.id}`);
      return {
        id: task.id,
        attempt,
        kind: "succeeded",
        result: { sizeBytes: inline.length, inline },
        releaseHold: false,
      };
    });
  }
}

const running = runner();
await Promise.all(Array.from({ length: 8 }, sender));
isOver = true;
await running;
await store.close();
