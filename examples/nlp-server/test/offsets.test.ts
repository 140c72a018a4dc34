import { beforeAll, describe, expect, it } from "vitest";
import { type Engine, loadEngine } from "../src/engine.ts";
import { blocksOf } from "../src/nlp/blocks.ts";
import { type Annotation, toAnnotations } from "../src/nlp/code-points.ts";
import { resolveOverlaps } from "../src/nlp/overlap.ts";
import { withoutTrailingPunctuation } from "../src/nlp/patterns.ts";
import { readNotes } from "./quality.ts";

const never = new AbortController().signal;
let engine: Engine;

beforeAll(async () => {
  engine = await loadEngine("nlp");
});

async function annotate(text: string): Promise<Annotation[]> {
  return toAnnotations(text, await engine.find(text, never));
}

/** Checks the offsets the way a Python client would: by slicing code points. */
function expectSlices(text: string, annotations: readonly Annotation[]): void {
  const points = [...text];
  let before = 0;
  for (const { start, end, text: found } of annotations) {
    expect(points.slice(start, end).join("")).toBe(found);
    expect(start).toBeGreaterThanOrEqual(before);
    expect(end).toBeGreaterThan(start);
    before = end;
  }
}

describe("offsets", () => {
  it("count code points, not UTF-16 units", async () => {
    const text = "Naïve 😀 note: 😀 John Smith was seen on 12 March 2024.";
    const found = await annotate(text);
    expect(found).toMatchObject([
      { start: 16, end: 26, label_id: "PERSON", text: "John Smith" },
      { start: 39, end: 52, label_id: "DATE", text: "12 March 2024" },
    ]);
    expect(text.indexOf("John")).toBe(18);
    expectSlices(text, found);
  });

  it("hold in every note, without overlaps", async () => {
    for (const { text } of readNotes()) expectSlices(text, await annotate(text));
  });

  it.each([
    ["a byte order mark", "\ufeff"],
    ["separators that wink forgets", "a\u2028b\u2029\u000b\u001f\u2003 "],
    ["combined emoji", "👨‍👩‍👧 e\u0301 "],
    ["CRLF", "\r\n\r\n"],
    ["NUL", "\0 "],
    ["a lone surrogate", "\ud800 "],
  ])("hold behind %s", async (_, prefix) => {
    const text = `${prefix}Seen on 12 March 2024 by Dr. Keller in Berlin.`;
    const found = await annotate(text);
    expect(found.map((each) => each.text)).toEqual(["12 March 2024", "Dr. Keller", "Berlin"]);
    expectSlices(text, found);
  });

  it("hold in a text of many blocks", async () => {
    const text = "😀 Paid £42.50 to John Smith on 2024-03-11.\n".repeat(400);
    const found = await annotate(text);
    expect(found).toHaveLength(1_200);
    expectSlices(text, found);
  });

  it("are nothing for an empty or blank text", async () => {
    expect(await annotate("")).toEqual([]);
    expect(await annotate(" \r\n\t")).toEqual([]);
  });
});

describe("overlaps", () => {
  it("are won by the longest, then by the most specific, whatever the order", () => {
    const spans = [
      { start: 0, end: 4, label: "CARDINAL" },
      { start: 0, end: 10, label: "DATE" },
      { start: 8, end: 17, label: "CARDINAL" },
      { start: 20, end: 25, label: "CARDINAL" },
      { start: 20, end: 25, label: "TIME" },
      { start: 10, end: 12, label: "ORDINAL" },
    ] as const;
    const kept = [spans[1], spans[5], spans[4]];
    expect(resolveOverlaps(spans)).toEqual(kept);
    expect(resolveOverlaps([...spans].reverse())).toEqual(kept);
  });

  it("of equals are won by the earlier", () => {
    const spans = [
      { start: 3, end: 8, label: "PERSON" },
      { start: 0, end: 5, label: "PERSON" },
    ] as const;
    expect(resolveOverlaps(spans)).toEqual([spans[1]]);
    expect(resolveOverlaps([...spans].reverse())).toEqual([spans[1]]);
  });
});

describe("trailing punctuation", () => {
  it.each([
    ["https://a.example/b.", "https://a.example/b"],
    ["https://a.example/b).", "https://a.example/b"],
    ["https://a.example/b_(c)", "https://a.example/b_(c)"],
    ["www.a.example/?q=1!", "www.a.example/?q=1"],
  ])("of %s is left to the sentence", (text, kept) => {
    const { start, end } = withoutTrailingPunctuation(text, { start: 0, end: text.length, label: "URL" });
    expect(text.slice(start, end)).toBe(kept);
  });
});

describe("blocks", () => {
  it("cover the text, are not too long and split no surrogate pair", () => {
    for (const text of ["😀".repeat(100), `${"word ".repeat(40)}\n${"x".repeat(90)}`, "A. ".repeat(70)]) {
      const blocks = [...blocksOf(text, 25)].map(({ start, end }) => text.slice(start, end));
      expect(blocks.join("")).toBe(text);
      for (const block of blocks) {
        expect(block.length).toBeLessThanOrEqual(25);
        expect(block.isWellFormed()).toBe(true);
      }
    }
  });
});
