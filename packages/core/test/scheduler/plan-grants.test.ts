import { describe, expect, it } from "vitest";
import type { ServerWant } from "../../src/contracts/ledger.ts";
import {
  type OpenLanes,
  planGrants,
  type ServerRoom,
  type WaitingTask,
} from "../../src/scheduler/plan-grants.ts";
import { compareRank } from "../../src/scheduler/rank.ts";
import { want } from "../support/tasks.ts";

interface Waiting extends WaitingTask {
  readonly background: boolean;
}

/** Lanes that count how often each of them was opened and read. */
function lanes(tasks: readonly Waiting[]): { open: OpenLanes; opened: string[]; reads: () => number } {
  const opened: string[] = [];
  let reads = 0;
  const byLane = new Map<string, Waiting[]>();
  for (const task of tasks) {
    const key = `${task.model}/${task.background}`;
    byLane.set(key, [...(byLane.get(key) ?? []), task]);
  }
  const open: OpenLanes = (models, background) => {
    opened.push(`${models.join("+")}${background ? " in the background" : ""}`);
    const sorted = models.flatMap((model) => byLane.get(`${model}/${background}`) ?? []).sort(compareRank);
    let at = 0;
    return {
      next: () => {
        reads += 1;
        return sorted[at++];
      },
    };
  };
  return { open, opened, reads: () => reads };
}

function task(id: string, model: string, rank: number, background = false): Waiting {
  return { id, model, rank, background };
}

function room(
  server: string,
  parts: Partial<ServerWant> & { used?: number; held?: boolean } = {},
): ServerRoom {
  const { used = 0, held = false, ...rest } = parts;
  return { want: want(server, rest), used, held };
}

function planned(rooms: readonly ServerRoom[], tasks: readonly Waiting[]): string[] {
  return planGrants(rooms, lanes(tasks).open).map(({ id, want: { server } }) => `${id}@${server}`);
}

describe("planGrants", () => {
  it("grants by rank over all lanes, ties by id", () => {
    const tasks = [
      task("c", "b", 5),
      task("a", "a", 5),
      task("b", "a", 5),
      task("d", "b", 1),
      task("e", "a", 9),
    ];
    expect(planned([room("s", { models: ["a", "b"] })], tasks)).toEqual(["d@s", "a@s", "b@s", "c@s"]);
  });

  it("is not held up by a lane without a slot", () => {
    const tasks = [
      ...Array.from({ length: 50 }, (_, at) => task(`full-${at}`, "full", at)),
      task("late", "free", 1000),
    ];
    const rooms = [room("s1", { models: ["full"], limit: 2 }), room("s2", { models: ["free"] })];
    expect(planned(rooms, tasks)).toEqual(["full-0@s1", "full-1@s1", "late@s2"]);
  });

  it("does not even open the lanes of a full server", () => {
    const { open, opened } = lanes([task("a", "a", 1), task("b", "b", 2)]);
    const rooms = [
      room("s1", { models: ["a"], used: 4, held: true }),
      room("s2", { models: ["b"], background: false }),
    ];
    expect(planGrants(rooms, open).map(({ id }) => id)).toEqual(["b"]);
    expect(opened).toEqual(["b"]);
  });

  it("opens lanes of the same servers as one group", () => {
    const { open, opened } = lanes([]);
    const rooms = [
      room("s1", { models: ["a", "b", "c"], background: false }),
      room("s2", { models: ["c"], background: false }),
    ];
    planGrants(rooms, open);
    expect(opened).toEqual(["a+b", "c"]);
  });

  it("never grants above the limit, what is used, or max", () => {
    const tasks = Array.from({ length: 20 }, (_, at) => task(`t${at}`, "m", at));
    const count = (parts: Parameters<typeof room>[1]): number => planned([room("s", parts)], tasks).length;
    expect(count({ limit: 4, max: 9, used: 1 })).toBe(3);
    expect(count({ limit: 9, max: 2, used: 1 })).toBe(2);
    expect(count({ limit: 2, max: 2, used: 5 })).toBe(0);
    expect(count({ limit: 4, max: 0 })).toBe(0);
  });

  it("prefers the smallest share in use, then the lowest cost, then the first named", () => {
    const one = [task("t", "m", 1)];
    expect(planned([room("a", { limit: 2, used: 1 }), room("b", { limit: 10, used: 4 })], one)).toEqual([
      "t@b",
    ]);
    expect(planned([room("a", { cost: 2 }), room("b", { cost: 1 })], one)).toEqual(["t@b"]);
    expect(planned([room("a"), room("b")], one)).toEqual(["t@a"]);
    const four = Array.from({ length: 4 }, (_, at) => task(`t${at}`, "m", at));
    expect(planned([room("a", { limit: 2 }), room("b", { limit: 2 })], four)).toEqual([
      "t0@a",
      "t1@b",
      "t2@a",
      "t3@b",
    ]);
  });

  it("leaves a server that others need no less to the one with the lower rank", () => {
    const rooms = [room("both", { models: ["a", "b"], limit: 1 })];
    expect(planned(rooms, [task("a", "a", 2), task("b", "b", 1)])).toEqual(["b@both"]);
  });

  it("gives background work the one hold of a server and no slot", () => {
    const tasks = [
      task("b1", "m", 1, true),
      task("b2", "m", 2, true),
      task("f1", "m", 3),
      task("f2", "m", 4),
    ];
    expect(planned([room("s", { limit: 1 })], tasks)).toEqual(["b1@s", "f1@s"]);
    expect(planned([room("s", { limit: 1, held: true })], tasks)).toEqual(["f1@s"]);
    expect(planned([room("s", { limit: 1, background: false })], tasks)).toEqual(["f1@s"]);
    expect(planned([room("s", { limit: 1, used: 1 })], tasks)).toEqual(["b1@s"]);
    expect(planned([room("s1"), room("s2")], tasks.slice(0, 2))).toEqual(["b1@s1", "b2@s2"]);
  });

  it("reads one task more than it grants of each group, and no others", () => {
    const tasks = Array.from({ length: 1000 }, (_, at) => task(`t${at}`, "m", at));
    const { open, reads } = lanes(tasks);
    planGrants([room("s", { limit: 3, background: false })], open);
    expect(reads()).toBe(4);
  });

  it("plans over 10,000 lanes of one server, and of as many servers, in well under a second", () => {
    const models = Array.from({ length: 10_000 }, (_, at) => `m${at}`);
    const tasks = models.map((model, at) => task(`t${at}`, model, at));
    const startedMs = performance.now();
    expect(planned([room("s", { models, limit: 8, max: 8 })], tasks)).toHaveLength(8);
    const own = models.slice(0, 2000).map((model) => room(`s-${model}`, { models: [model], limit: 1 }));
    expect(planned(own, tasks)).toHaveLength(2000);
    expect(performance.now() - startedMs).toBeLessThan(2000);
  });
});
