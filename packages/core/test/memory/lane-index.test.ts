import { describe, expect, it } from "vitest";
import { type IndexedTask, LaneIndex } from "../../src/memory/lane-index.ts";

function task(id: string, parts: Partial<IndexedTask> = {}): IndexedTask {
  return { id, model: "m", rank: 0, background: false, notBeforeAtMs: undefined, ...parts };
}

function readAll(index: LaneIndex, ...models: string[]): string[] {
  const { lanes, settle } = index.open();
  const cursor = lanes(models, false);
  const ids: string[] = [];
  for (let next = cursor.next(); next !== undefined; next = cursor.next()) ids.push(next.id);
  settle();
  return ids;
}

describe("the index of lanes", () => {
  it("puts back what was read and not taken", () => {
    const index = new LaneIndex();
    for (const id of ["a", "b", "c"]) index.add(task(id));
    const { lanes, settle } = index.open();
    const cursor = lanes(["m"], false);
    expect([cursor.next()?.id, cursor.next()?.id]).toEqual(["a", "b"]);
    index.remove("a");
    settle();
    expect(readAll(index, "m")).toEqual(["b", "c"]);
  });

  it("forgets the dead of a lane that nobody reads, and keeps its living in order", () => {
    const index = new LaneIndex();
    for (let at = 0; at < 5000; at += 1) {
      index.add(task(`dead-${at}`, { rank: at }));
      if (at % 100 === 0) index.add(task(`kept-${String(at).padStart(4, "0")}`, { rank: at }));
      if (at % 2 === 0) index.add(task(`dead-${at}`, { rank: at, notBeforeAtMs: 9 }));
      index.remove(`dead-${at}`);
    }
    expect(index.size).toBeLessThan(400);
    const kept = readAll(index, "m");
    expect([kept.length, kept]).toEqual([50, kept.toSorted()]);
  });

  it("moves what is due to its lane", () => {
    const index = new LaneIndex();
    index.add(task("late", { notBeforeAtMs: 50, rank: -1 }));
    index.add(task("later", { notBeforeAtMs: 90 }));
    index.add(task("now"));
    expect([index.promote(49), readAll(index, "m")]).toEqual([1, ["now"]]);
    expect([index.promote(50), readAll(index, "m")]).toEqual([40, ["late", "now"]]);
    index.remove("later");
    expect(index.promote(51)).toBeUndefined();
  });
});
