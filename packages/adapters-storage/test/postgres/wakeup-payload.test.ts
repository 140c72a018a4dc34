import { describe, expect, it } from "vitest";
import { namesOf, toPayloads } from "../../src/postgres/wakeup-payload.ts";

const LIMIT = 8_000;

describe("the payloads of a hint", () => {
  it("give back every name as it was, in ASCII", () => {
    const names = [
      "a",
      'a"b',
      "a'b,c]",
      "a\\u0000b",
      "a\0b",
      "\ud83d",
      "\ude00\ud83d",
      "\u{1f600}",
      "é世",
      "",
      "\n",
    ];
    const payloads = toPayloads("work", names);
    expect(payloads).toHaveLength(1);
    expect(payloads[0]).toMatch(/^w[ -~]*$/);
    expect(namesOf(payloads[0] ?? "")).toEqual({ topic: "work", names });
  });

  it("tell their topic", () => {
    for (const topic of ["work", "ended", "deployments"] as const) {
      expect(toPayloads(topic, ["m"]).map(namesOf)).toEqual([{ topic, names: ["m"] }]);
    }
  });

  it("are shorter than the server's limit, and eight at most", () => {
    const ids = Array.from({ length: 20_000 }, (_, index) => `${index}`.padStart(36, "0"));
    const payloads = toPayloads("ended", ids);
    expect(payloads).toHaveLength(8);
    for (const payload of payloads) expect(payload.length).toBeLessThan(LIMIT);
    const names = payloads.flatMap((payload) => namesOf(payload)?.names ?? []);
    expect(names.length).toBeGreaterThan(1_500);
    expect(names).toEqual(ids.slice(0, names.length));
  });

  it("leave out a name that no payload holds, and nothing else", () => {
    // With the letter, the brackets and the quotes.
    const longest = "x".repeat(LIMIT - 1 - 5);
    const payloads = toPayloads("work", ["a", `${longest}x`, "b", longest, "\u{1f600}".repeat(700), "c"]);
    expect(payloads.map((payload) => payload.length)).toEqual([10, LIMIT - 1, 6]);
    expect(payloads.flatMap((payload) => namesOf(payload)?.names)).toEqual(["a", "b", longest, "c"]);
  });

  it("tell something even when no name fits", () => {
    expect(toPayloads("ended", ["x".repeat(LIMIT)])).toEqual(["e[]"]);
  });

  it("are told from what others send", () => {
    for (const payload of ["", "w", "x[]", "w{}", "w[1]", 'w["a"', "e null", 'w"a"', "hello"]) {
      expect(namesOf(payload)).toBeUndefined();
    }
  });
});
