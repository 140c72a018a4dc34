import { describe, expect, it } from "vitest";
import { keyOf, nameOf, namePrefixOf } from "../../src/s3/object-name.ts";

const ALPHABET = "-./09AZ_az";

/** Keys that differ late, with parts around the length at which they are broken. */
function randomKey(random: () => number): string {
  for (;;) {
    const parts = Array.from({ length: 1 + Math.floor(random() * 3) }, () => {
      const long = [0, 0, 199, 200, 201, 400][Math.floor(random() * 6)] ?? 0;
      const tail = Array.from({ length: 1 + Math.floor(random() * 3) }, () => {
        return ALPHABET[Math.floor(random() * ALPHABET.length)];
      });
      return "x".repeat(long) + tail.join("");
    });
    const key = parts.join("/").slice(0, 512);
    if (isKey(key)) return key;
  }
}

function isKey(key: string): boolean {
  return key.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe("names of objects", () => {
  const random = seeded(7);
  const keys = Array.from({ length: 3000 }, () => randomKey(random));

  it("lead back to their keys, and no part of them is longer than a file system takes", () => {
    for (const key of keys) {
      const name = nameOf("some/prefix/", key);
      expect(keyOf("some/prefix/", name)).toBe(key);
      expect(Math.max(...name.split("/").map((part) => part.length))).toBeLessThanOrEqual(255);
      expect(name.length).toBeLessThanOrEqual(1024);
      expect(isKey(name)).toBe(true);
    }
  });

  it("lie in the order of their keys", () => {
    const sorted = [...new Set(keys)].sort();
    const names = sorted.map((key) => nameOf("", key));
    expect(names.toSorted()).toEqual(names);
  });

  it("begin alike where keys do, and nowhere else", () => {
    const names = keys.map((key) => nameOf("p/", key));
    for (const key of keys.slice(0, 300)) {
      const start = key.slice(0, Math.floor(random() * (key.length + 1)));
      const prefix = namePrefixOf("p/", start);
      if (prefix === undefined) throw new Error(`${start} begins ${key}`);
      const wrong = keys.filter((other, at) => names[at]?.startsWith(prefix) !== other.startsWith(start));
      expect(wrong).toEqual([]);
    }
  });

  it("of no other form are taken for ours", () => {
    const long = "x".repeat(201);
    for (const name of [
      "p/k",
      "k!",
      "q/k!",
      "p/!",
      "p/a//b!",
      "p/../k!",
      "p/a~b!",
      "p/a/~b!",
      `p/${long}!`,
      "p/ä!",
    ]) {
      expect(keyOf("p/", name)).toBeUndefined();
    }
  });

  it("begin with nothing that no key begins with", () => {
    for (const start of ["/", "a//", "../", "a/./", "ä", "a b", "x".repeat(513), "a~"]) {
      expect(namePrefixOf("", start)).toBeUndefined();
    }
  });
});
