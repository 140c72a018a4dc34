import { describe, expect, it } from "vitest";
import {
  decodeId,
  decodeRank,
  encodeId,
  encodeRank,
  lanePrefix,
  placeOf,
  readMember,
  readReceipt,
  toReceipt,
} from "../../src/redis/entry-codec.ts";

/** Ids at every border of UTF-8 and UTF-16, a lone surrogate among them. */
const IDS = [
  "",
  "\0",
  "\u0001",
  "-",
  "0",
  "A",
  "_",
  "a",
  "a\0",
  "aa",
  "\u007f",
  "\u0080",
  "\u07ff",
  "\u0800",
  "\ud7ff",
  "\ud800",
  "\ud83d\ude00",
  "\udfff",
  "\ue000",
  "\ue0000041",
  "\uf8ff",
  "\uffff",
];

const RANKS = [
  -Number.MAX_VALUE,
  -1e15,
  -1e15 + 1,
  -36_000_000,
  -1.5,
  -1,
  -Number.MIN_VALUE,
  0,
  Number.MIN_VALUE,
  0.1,
  1,
  2 ** 31,
  2 ** 32 + 1,
  1.7e12,
  1.7e12 + 0.25,
  1.7e12 + 1,
  2 ** 52,
  Number.MAX_SAFE_INTEGER,
  Number.MAX_VALUE,
];

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

describe("an entry as Redis keeps it", () => {
  it("has an id whose bytes sort as the id does, and comes back as it was", () => {
    expect(IDS.map(encodeId).toSorted(byBytes).map(decodeId)).toEqual(IDS.toSorted());
    for (const id of IDS) expect(decodeId(Buffer.from(encodeId(id)).toString())).toBe(id);
  });

  it("has a rank whose digits sort as the number does, and comes back as it was", () => {
    expect(RANKS.map(encodeRank).toSorted(byBytes)).toEqual(RANKS.map(encodeRank));
    for (const rank of RANKS) {
      expect(encodeRank(rank)).toMatch(/^[0-9a-f]{16}$/);
      expect(decodeRank(encodeRank(rank))).toBe(rank);
    }
    expect(encodeRank(-0)).toBe(encodeRank(0));
    for (const rank of [Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => encodeRank(rank)).toThrow(expect.objectContaining({ code: "INVALID_REQUEST" }));
  });

  it("has a lane that is the beginning of no other one", () => {
    const names = [...IDS, "a\u0001", "a\u0001\u0001", "ab", "b"];
    const prefixes = names.flatMap((lane) => [
      lanePrefix({ lane, background: false }),
      lanePrefix({ lane, background: true }),
    ]);
    expect(new Set(prefixes).size).toBe(prefixes.length);
    for (const one of prefixes)
      for (const other of prefixes)
        expect(one !== other && other.startsWith(one), `${one} ${other}`).toBe(false);
    // The scripts find the end of the lane by its NUL.
    for (const prefix of prefixes) expect(prefix.indexOf("\0")).toBe(prefix.length - 1);
  });

  it("is read from its member", () => {
    for (const id of IDS) {
      const entry = { id, lane: "m\0\u0001", background: true, rank: -7, delayMs: 0 };
      const member = placeOf(entry) + encodeId(id);
      expect(readMember(member)).toEqual({ prefix: lanePrefix(entry), rank: -7, id });
    }
  });

  it("is named by its receipt", () => {
    for (const id of ["a b", ...IDS])
      expect(readReceipt(toReceipt("token", id))).toEqual({ token: "token", id });
    for (const receipt of ["", "unknown", " a"]) expect(readReceipt(receipt)).toBeUndefined();
  });
});
