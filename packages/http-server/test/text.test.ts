import { describe, expect, it } from "vitest";
import { preferredWaitSeconds } from "../src/prefer.ts";
import { pythonList, pythonTime } from "../src/python-text.ts";
import { readBooleans, takeParameter } from "../src/query.ts";

describe("Prefer: wait", () => {
  it.each([
    ["wait=10", 10],
    ["respond-async, wait=100", 100],
    ['WAIT = "7"', 7],
    ["wait=5;x=1", 5],
    ["wait=1, wait=2", 1],
    ["wait=0", 0],
    ["wait=-1", undefined],
    ["wait=1.5", undefined],
    ["wait", undefined],
    ["await=3", undefined],
    ["", undefined],
    [undefined, undefined],
  ])("of %j is %j", (header, seconds) => {
    expect(preferredWaitSeconds(header)).toBe(seconds);
  });
});

describe("Python's texts", () => {
  it("prints a list of strings", () => {
    expect(pythonList([])).toBe("[]");
    expect(pythonList(["a", "b's", `c"'`, "d\\\n"])).toBe(`['a', "b's", 'c"\\'', 'd\\\\\\n']`);
  });

  it("prints an instant with microseconds and an offset", () => {
    expect(pythonTime(Date.UTC(2026, 10, 20, 23, 11, 56, 654))).toBe("2026-11-20T23:11:56.654000+00:00");
    expect(pythonTime(undefined)).toBeNull();
  });
});

describe("a query", () => {
  it("keeps every byte of what is not taken out of it", () => {
    const query = "a=%2f&&a=+x&priority=3&b=%zz&c&=d&pri%6Frity=7&a=%C3%A9";
    expect(takeParameter(query, "priority")).toEqual({
      value: "7",
      rest: "a=%2f&&a=+x&b=%zz&c&=d&a=%C3%A9",
    });
  });

  it("is the same when nothing is taken out of it", () => {
    expect(takeParameter("priorities=1&&x", "priority")).toEqual({
      value: undefined,
      rest: "priorities=1&&x",
    });
  });

  it.each(["true", "TRUE", "t", "yes", "Y", "on", "1"])("takes %s as true", (form) => {
    expect(readBooleans(`detail=${form}`, ["detail"])).toEqual({ values: { detail: true }, issues: [] });
  });

  it.each(["false", "F", "no", "n", "Off", "0"])("takes %s as false", (form) => {
    expect(readBooleans(`detail=true&detail=${form}`, ["detail"]).values.detail).toBe(false);
  });

  it.each(["", "maybe", "2", "tru"])("refuses %j as a boolean", (form) => {
    expect(readBooleans(`detail=${form}`, ["detail"]).issues).toEqual([
      {
        type: "bool_parsing",
        loc: ["query", "detail"],
        msg: "Input should be a valid boolean, unable to interpret input",
        input: form,
      },
    ]);
  });
});
