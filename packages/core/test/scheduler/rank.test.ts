import { describe, expect, it } from "vitest";
import {
  compareRank,
  DEFAULT_BOOST_MS,
  MAX_PRIORITY,
  rankOf,
  STRICT_BOOST_MS,
} from "../../src/scheduler/rank.ts";

describe("rank", () => {
  it("is worth one boost of waiting for each priority level", () => {
    const now = 1_700_000_000_000;
    expect(rankOf(now, 6, DEFAULT_BOOST_MS)).toBe(rankOf(now - DEFAULT_BOOST_MS, 5, DEFAULT_BOOST_MS));
    expect(rankOf(now, 6, DEFAULT_BOOST_MS)).toBeLessThan(rankOf(now, 5, DEFAULT_BOOST_MS));
    expect(rankOf(now, 3, 0)).toBe(now);
  });

  it("stays an exact integer with a strict boost", () => {
    const late = 4_102_444_800_000;
    const rank = rankOf(late, MAX_PRIORITY, STRICT_BOOST_MS);
    expect(Number.isSafeInteger(rank)).toBe(true);
    expect(rankOf(late + 1, MAX_PRIORITY, STRICT_BOOST_MS)).toBe(rank + 1);
    expect(rankOf(late, 1, STRICT_BOOST_MS)).toBeLessThan(rankOf(0, 0, STRICT_BOOST_MS));
  });

  it("orders by rank, ties by id", () => {
    const entries = [
      { rank: 2, id: "a" },
      { rank: 1, id: "b" },
      { rank: 1, id: "B" },
      { rank: -1, id: "z" },
    ];
    expect(entries.toSorted(compareRank).map(({ id }) => id)).toEqual(["z", "B", "b", "a"]);
    expect(compareRank({ rank: 1, id: "a" }, { rank: 1, id: "a" })).toBe(0);
  });
});
