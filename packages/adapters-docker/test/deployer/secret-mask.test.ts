import { describe, expect, it } from "vitest";
import { masked, SecretMask, secretsOf } from "../../src/deployer/secret-mask.ts";

describe("a mask of secrets", () => {
  it("hides what is named, whatever its length, and what looks like a secret when it is long enough", () => {
    const env = { PIN: "1", DB_PASSWORD: "word", API_KEY: "longer-one", MODEL: "medcat_umls", EMPTY: "" };
    expect(secretsOf(env, new Set(["PIN", "EMPTY", "GONE"]))).toEqual(["longer-one", "1"]);
  });

  it("hides a secret as it stands in JSON and in an address", () => {
    const secrets = secretsOf({ A: 'p"a/s s' }, new Set(["A"]));
    const shown = masked(
      `${JSON.stringify('p"a/s s')} http://u:${encodeURIComponent('p"a/s s')}@h p"a/s s`,
      secrets,
    );
    expect(shown).toBe('"***" http://u:***@h ***');
  });

  it("hides the longer one of two that begin alike, and a secret inside of what was no secret", () => {
    expect(masked("abcdef abc ababc", ["abcdef", "abc"])).toBe("*** *** ab***");
  });

  it("keeps nothing back that cannot become a secret", () => {
    const mask = new SecretMask(["secret"]);
    expect(mask.push("all of it\n")).toBe("all of it\n");
    expect(mask.push("up to sec")).toBe("up to ");
    expect(mask.push("ond")).toBe("second");
    expect(mask.push("secre")).toBe("");
    expect(mask.end()).toBe("secre");
  });

  it("finds every secret however a text is cut, as it does in the whole text", () => {
    const secrets = ["aab", "aaab", "ba", "b.c*"].sort((a, b) => b.length - a.length);
    let state = 7;
    const next = (bound: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return (state >>> 8) % bound;
    };
    for (let round = 0; round < 500; round += 1) {
      const text = Array.from({ length: 30 }, () => "aab.c*"[next(6)]).join("");
      const mask = new SecretMask(secrets);
      let shown = "";
      for (let at = 0; at < text.length; ) {
        const size = 1 + next(4);
        shown += mask.push(text.slice(at, at + size));
        at += size;
      }
      shown += mask.end();
      expect(shown).toBe(text.replace(/aaab|b\.c\*|aab|ba/g, "***"));
    }
  });
});
