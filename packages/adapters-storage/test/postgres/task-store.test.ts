import { setTimeout as sleep } from "node:timers/promises";
import type {
  ApplyReply,
  ApplyRequest,
  Claim,
  ClaimOutcome,
  ClaimRequest,
  Grant,
  Settlement,
  TaskStore,
} from "@modelgate/core";
import { memoryTaskStore } from "@modelgate/core/memory";
import pg from "pg";
import { describe, expect, it, vi } from "vitest";
import { newTask } from "../sqlite/store-fixture.ts";
import { requireService } from "../support/services.ts";
import { startChild } from "./children.ts";
import { ask, errorOf, newSchema, openStore } from "./servers.ts";
import { newSchema as newStores } from "./store-fixture.ts";

const url = requireService("PG_URL") ?? "";

const NAMES = { runner: "r", incarnation: "1", leaseMs: 60_000 };

function applyOf(sequence: number, fields: Partial<ApplyRequest> = {}): ApplyRequest {
  const rest = { settle: [], renew: [], recover: 0, release: [], servers: [] };
  return { ...NAMES, ...rest, sequence, acknowledged: sequence - 1, ...fields };
}

function claimOf(
  sequence: number,
  claims: readonly Claim[],
  fields: Partial<ClaimRequest> = {},
): ClaimRequest {
  return { ...NAMES, sequence, claims, ...fields };
}

function to(id: string, ...servers: readonly (readonly [string, number])[]): Claim {
  return { id, servers: servers.map(([server, limit]) => ({ server, limit })) };
}

function brief(outcomes: readonly ClaimOutcome[]): string[] {
  return outcomes.map((item) => {
    if (item.outcome === "not_yet") return `not_yet ${item.delayMs}`;
    return item.outcome === "granted" ? `${item.grant.server}#${item.grant.attempt}` : item.outcome;
  });
}

describe.skipIf(url === "")("the task store on PostgreSQL", () => {
  it("gives each task to one of two processes that claim all of them, within the limit", async () => {
    const schema = newSchema(url);
    const { tasks } = openStore({ url, schema });
    const ids = Array.from({ length: 400 }, (_, at) => `t${at}`);
    await tasks.insert(ids.map((id) => newTask(id)));
    const children = await Promise.all(["a", "b"].map((name) => startChild(url, schema, "claim", name)));
    await vi.waitUntil(() => children.every(({ lines }) => lines.length > 0), { timeout: 30_000 });
    for (const { process } of children) process.stdin?.end();
    await Promise.all(children.map(({ exited }) => exited));
    const granted = children.map(({ lines }) => lines.flatMap((line) => JSON.parse(line) as string[]));
    expect(new Set(granted.flat()).size).toBe(granted.flat().length);
    expect(granted.flat()).toHaveLength(300);
    expect((await tasks.stats()).scheduled).toBe(300);
    expect(granted.filter((own) => own.length > 0).length).toBeGreaterThan(1);
  });

  it("keeps a server's limit for two that claim different tasks at once", async () => {
    const schema = newSchema(url);
    const stores = ["a", "b"].map((runner) => ({ runner, ...openStore({ url, schema }) }));
    const ROUNDS = 40;
    const idOf = (runner: string, round: number): string => `${runner}${round}`;
    for (const { runner, tasks } of stores) {
      await tasks.insert(Array.from({ length: ROUNDS }, (_, round) => newTask(idOf(runner, round))));
      await tasks.apply(applyOf(1, { runner }));
    }
    for (let round = 0; round < ROUNDS; round += 1) {
      const outcomes = await Promise.all(
        stores.map(async ({ runner, tasks }) => {
          const claims = [to(idOf(runner, round), [`s${round}`, 1])];
          return brief(await tasks.claim(claimOf(1, claims, { runner })));
        }),
      );
      expect(outcomes.flat().sort(), `round ${round}`).toEqual(["full", `s${round}#1`]);
    }
  });

  it("waits for whoever is changing a task that is claimed, and tells what became of it", async () => {
    const schema = newSchema(url);
    const { tasks } = openStore({ url, schema });
    await tasks.insert(["a", "b", "c"].map((id) => newTask(id)));
    await tasks.apply(applyOf(1));
    const holding = ask(
      url,
      `BEGIN; SELECT FROM ${schema}.live WHERE id IN ('a', 'b') FOR UPDATE; SELECT pg_sleep(0.3); DELETE FROM ${schema}.live WHERE id = 'a'; COMMIT`,
    );
    await sleep(150);
    const outcomes = await tasks.claim(
      claimOf(
        1,
        ["a", "b", "c"].map((id) => to(id, ["s", 9])),
      ),
    );
    expect(brief(outcomes)).toEqual(["gone", "s#1", "s#1"]);
    await holding;
  });

  it("says that an apply was forgotten, and not that its runner is stale, when a crash undid it", async () => {
    const schema = newSchema(url);
    const { tasks } = openStore({ url, schema });
    await tasks.insert([newTask("a")]);
    await tasks.apply(applyOf(1));
    await tasks.apply(applyOf(2));
    // As a crash of the server leaves it that comes before the log was written.
    await ask(url, `UPDATE ${schema}.runners SET sequence = 1`);
    const claim = claimOf(2, [to("a", ["s", 1])]);
    const error = await errorOf(tasks.claim(claim));
    expect([error.code, error.retryable]).toEqual(["STORE_UNAVAILABLE", true]);
    expect((await tasks.apply(applyOf(2))).repeated).toBe(false);
    expect(brief(await tasks.claim(claim))).toEqual(["s#1"]);
    const { tasks: other } = openStore({ url, schema });
    expect((await errorOf(other.claim({ ...claim, sequence: 3 }))).code).toBe("STALE_RUNNER");
  });

  it("opens the next sequence in one trip, and keeps what the state machine must see for a second", async () => {
    const { tasks } = openStore({ url, schema: newSchema(url) });
    await tasks.insert(["a", "b"].map((id) => newTask(id)));
    await tasks.apply(applyOf(1));
    await tasks.claim(
      claimOf(
        1,
        ["a", "b"].map((id) => to(id, ["s", 9])),
      ),
    );
    const result = { sizeBytes: 2, inline: new Uint8Array([1, 2]) };
    const ended = (id: string, attempt: number): Settlement => {
      return { kind: "succeeded", id, attempt, result, releaseHold: true };
    };
    const settle = [ended("a", 1), ended("b", 9), ended("nobody", 1)];
    const reply = await tasks.apply(applyOf(2, { settle, servers: ["s", "t"] }));
    expect(reply.settled).toEqual([
      { outcome: "accepted" },
      { outcome: "stale", attempt: 1, state: "scheduled" },
      { outcome: "unknown" },
    ]);
    expect([reply.repeated, reply.used]).toEqual([false, { s: 1, t: 0 }]);
  });

  it("answers random calls like the one in memory", { timeout: 120_000 }, async () => {
    const seeds = Number(process.env["MODELGATE_PG_SEEDS"] ?? 4);
    const clock = new pg.Client({ connectionString: url });
    await clock.connect();
    try {
      for (let seed = 1; seed <= seeds; seed += 1) await compareStores(seed, clock);
    } finally {
      await clock.end();
    }
  });
});

/** A small generator with a seed: https://en.wikipedia.org/wiki/Linear_congruential_generator */
function diceOf(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

const STEPS = 60;

/** Makes the same random calls to both, with the clock of both stopped. */
async function compareStores(seed: number, clock: pg.Client): Promise<void> {
  const dice = diceOf(seed);
  const stores = newStores(url, () => 0.5);
  const { tasks } = stores.open();
  await tasks.stats();
  let nowMs = 1_700_000_000_000;
  const memory = memoryTaskStore({
    clock: { now: () => nowMs, monotonic: () => nowMs, after: () => () => {} },
    random: () => 0.5,
  });
  const freeze = `CREATE OR REPLACE FUNCTION ${stores.schema}.now_ms() RETURNS double precision LANGUAGE sql STABLE AS`;
  const ids: string[] = [];
  const held: Grant[] = [];
  let sequence = 0;
  const both = async <T>(
    call: (store: TaskStore) => Promise<T>,
    compared: (value: T) => unknown,
  ): Promise<T> => {
    const [told, expected] = [await call(tasks), await call(memory)];
    expect(compared(told), `seed ${seed}`).toEqual(compared(expected));
    return told;
  };
  for (let step = 0; step < STEPS; step += 1) {
    nowMs += dice(3) * 100;
    await clock.query(`${freeze} 'SELECT ${nowMs}::double precision'`);
    if (dice(3) === 0) {
      const batch = Array.from({ length: 1 + dice(6) }, () => {
        const id = `t${ids.length}`;
        ids.push(id);
        return newTask(id, { background: dice(4) === 0, repeatable: dice(2) === 0 });
      });
      await both(
        (store) => store.insert(batch),
        (outcomes) => outcomes.map(({ outcome }) => outcome),
      );
    }
    // Now and then the reply before was lost: the sequence is repeated, or what it granted goes back.
    const isLost = dice(8) === 0 && sequence > 1;
    if (!(isLost && dice(2) === 0)) sequence += 1;
    const settle = held.splice(0, dice(held.length + 1)).map((grant) => settlementOf(grant, dice));
    const renew = held.map(({ task: { id }, attempt }) => ({ id, attempt, sent: dice(2) === 0 }));
    const request = applyOf(sequence, {
      ...{ settle, renew, recover: dice(2), servers: ["s", "t", "u"] },
      acknowledged: isLost ? sequence - 2 : sequence - 1,
    });
    const apply = () => both((store) => store.apply(request), comparable);
    const applied = await apply();
    if (dice(4) === 0) await apply();
    held.push(...applied.grants);
    // Mostly one limit for each server, as it is unless two wants name it.
    const limits = { s: 1 + dice(3), t: 2, u: 1 };
    const isMixed = dice(4) === 0;
    const claims = Array.from({ length: ids.length === 0 ? 0 : dice(10) }, () => {
      const servers = (["s", "t", "u"] as const).filter(() => dice(2) === 0);
      return to(
        `t${dice(ids.length + 1)}`,
        ...servers.map((server) => [server, isMixed ? dice(4) : limits[server]] as const),
      );
    });
    const outcomes = await both((store) => store.claim(claimOf(sequence, claims)), brief);
    for (const item of outcomes) if (item.outcome === "granted") held.push(item.grant);
  }
  await both(
    (store) => store.stats(),
    ({ lanes, ...rest }) => ({ ...rest, lanes: lanes.map(({ firstRank: _, ...lane }) => lane) }),
  );
  await both(
    (store) => store.get(ids),
    (found) => found.map((task) => [task?.state, task?.attempt, task?.server, task?.notBeforeAtMs]),
  );
  await stores.end();
}

function comparable({ grants, returned, orphanHolds, ...rest }: ApplyReply): unknown {
  return {
    ...rest,
    holds: orphanHolds.map(({ server, id, attempt }) => [server, id, attempt]),
    grants: grants.map(({ kind, task, server }) => [kind, task.id, task.attempt, server]).sort(),
    returned: returned.map(({ id }) => id).sort(),
  };
}

function settlementOf({ task, attempt, server }: Grant, dice: (sides: number) => number): Settlement {
  const ref = { id: task.id, attempt };
  const releaseHold = dice(2) === 0;
  const kind = (
    ["succeeded", "succeeded", "succeeded", "returned", "abandoned", "sent", "cancelled"] as const
  )[dice(7)];
  switch (kind) {
    case "returned":
      return { ...ref, kind, counts: false, delayMs: dice(2) * 150, releaseHold };
    case "sent":
      return { ...ref, kind, server };
    case "cancelled":
      return { ...ref, kind, releaseHold };
    case "abandoned":
      return { ...ref, kind };
    default:
      return {
        ...ref,
        kind: "succeeded",
        result: { sizeBytes: 1, inline: new Uint8Array([1]) },
        releaseHold,
      };
  }
}
