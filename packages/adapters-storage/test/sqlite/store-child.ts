import { join } from "node:path";
import type { NewTask } from "@modelgate/core";
import { type Database, openDriver } from "../../src/sqlite/driver.ts";
import { sqliteStore } from "../../src/sqlite/sqlite-store.ts";

// What the processes of the tests do: node child.js DIRECTORY COMMAND [ARGUMENT]. They print one line for each thing
// that the store has acknowledged.

const [directory = "", command = "", argument = ""] = process.argv.slice(2);
const { ledger, tasks, records, close } = sqliteStore({ directory });

function newTask(id: string, repeatable = true): NewTask {
  const inline = new TextEncoder().encode(`payload of ${id}`);
  return {
    id,
    model: "m",
    operation: "process",
    owner: "",
    query: "",
    repeatable,
    background: false,
    maxFailures: 5,
    priority: 5,
    boostMs: 3_600_000,
    waitMs: 86_400_000,
    payload: { sizeBytes: inline.length, inline },
  };
}

/** Accepts tasks until it is killed, several calls at a time. */
async function submit(): Promise<void> {
  let last = 0;
  const sender = async (): Promise<void> => {
    for (;;) {
      last += 1;
      const id = `${argument}-${last}`;
      const [outcome] = await ledger.submit([newTask(id)]);
      if (outcome?.outcome === "accepted") process.stdout.write(`accepted ${id}\n`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, sender));
}

/** Grants and settles, one task at a time, for so many milliseconds. */
async function claim(runMs: number): Promise<void> {
  await ledger.stats();
  process.stdout.write("ready\n");
  const until = Date.now() + runMs;
  let settle: { id: string; attempt: number; kind: "cancelled"; releaseHold: boolean }[] = [];
  const granted: string[] = [];
  let exchanges = 0;
  for (let sequence = 1; Date.now() < until; sequence += 1) {
    const { grants } = await ledger.exchange({
      runner: `runner-${process.pid}`,
      incarnation: "1",
      sequence,
      acknowledged: sequence - 1,
      leaseMs: 60_000,
      settle,
      renew: [],
      want: [{ server: "s", limit: 64, max: 1, models: ["m"], background: false, cost: 1 }],
      recover: 0,
      release: [],
    });
    exchanges += 1;
    settle = grants.map(({ task, attempt }) => ({
      id: task.id,
      attempt,
      kind: "cancelled",
      releaseHold: false,
    }));
    for (const { task, attempt } of grants) granted.push(`${task.id}/${attempt}`);
  }
  process.stdout.write(`${JSON.stringify({ exchanges, granted })}\n`);
  await close();
}

/** Claims every task, many at a time and for two servers, in an order of its own. */
async function claimAll(runner: string): Promise<void> {
  const ids: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await tasks.list({ limit: 1000, cursor });
    ids.push(...page.items.map(({ id }) => id));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  if (runner === "backwards") ids.reverse();
  const call = { runner, incarnation: "1", leaseMs: 60_000 };
  const granted: string[] = [];
  const others: string[] = [];
  process.stdout.write("ready\n");
  for (let sequence = 1; ids.length > 0; sequence += 1) {
    const nothing = { settle: [], renew: [], recover: 0, release: [], servers: [] };
    await tasks.apply({ ...call, ...nothing, sequence, acknowledged: sequence - 1 });
    const claims = ids.splice(0, 20).map((id) => {
      return { id, servers: ["s", "t"].map((server) => ({ server, limit: 600 })) };
    });
    for (const claimed of await tasks.claim({ ...call, sequence, claims })) {
      if (claimed.outcome === "granted") granted.push(`${claimed.grant.task.id}/${claimed.grant.attempt}`);
      else others.push(claimed.outcome);
    }
  }
  process.stdout.write(`${JSON.stringify({ granted, others })}\n`);
  await close();
}

/** Takes what there is, and then does nothing at all. */
async function hold(): Promise<void> {
  const { grants } = await ledger.exchange({
    runner: "holder",
    incarnation: "1",
    sequence: 1,
    acknowledged: 0,
    leaseMs: 3_600_000,
    settle: [],
    renew: [],
    want: [{ server: "s", limit: 8, max: 8, models: ["m"], background: false, cost: 1 }],
    recover: 0,
    release: [],
  });
  process.stdout.write(`holds ${grants.map(({ task }) => task.id).join()}\n`);
  setInterval(() => {}, 1000);
}

async function open(): Promise<void> {
  await ledger.submit([newTask(argument)]);
  const written = await records.put(`by/${argument}`, true, null);
  process.stdout.write(written === undefined ? "lost\n" : "opened\n");
  await close();
}

/** Ends while the thread is in the middle of a transaction. */
async function exit(): Promise<void> {
  await ledger.stats();
  const db = openDriver(join(directory, "modelgate.db"));
  const cell = new Int32Array(new SharedArrayBuffer(4));
  void ledger.submit(Array.from({ length: 10_000 }, (_, index) => newTask(`t${index}`)));
  // After the call has been sent. No message is read from here on.
  setImmediate(() =>
    setImmediate(() => {
      const until = performance.now() + 10_000;
      while (performance.now() < until && isFree(db)) Atomics.wait(cell, 0, 0, 1);
      process.exit(7);
    }),
  );
}

/** Whether nobody is writing. */
function isFree(db: Database): boolean {
  try {
    db.exec("BEGIN IMMEDIATE");
  } catch {
    return false;
  }
  db.exec("ROLLBACK");
  return true;
}

/** Counts up one record, each time by compare-and-set. */
async function count(times: number): Promise<void> {
  for (let done = 0; done < times; ) {
    const record = await records.get("counter");
    const next = (record?.value as number | undefined) ?? 0;
    if ((await records.put("counter", next + 1, record?.version ?? null)) !== undefined) done += 1;
  }
  await close();
}

const COMMANDS: Record<string, () => Promise<void>> = {
  submit,
  claim: () => claim(Number(argument)),
  "claim-all": () => claimAll(argument),
  hold,
  open,
  exit,
  count: () => count(Number(argument)),
};
await COMMANDS[command]?.();
