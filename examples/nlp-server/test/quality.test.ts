import { beforeAll, describe, expect, it } from "vitest";
import { type Engine, loadEngine } from "../src/engine.ts";
import { linesOf } from "../src/nlp/blocks.ts";
import { toAnnotations } from "../src/nlp/code-points.ts";
import { findNames, mayHoldName } from "../src/nlp/name-finder.ts";
import { WinkReader } from "../src/nlp/wink-reader.ts";
import { measured, readNotes, type Score, Scores } from "./quality.ts";

const notes = readNotes();
const scores = { tuning: new Scores(), "held-out": new Scores() };
const never = new AbortController().signal;
let engine: Engine;

beforeAll(async () => {
  engine = await loadEngine("nlp");
  for (const note of notes) {
    scores[note.set].add(note, toAnnotations(note.text, await engine.find(note.text, never)));
  }
  if (process.env["PRINT_QUALITY"]) print();
});

function print(): void {
  for (const [set, score] of Object.entries(scores)) {
    const row = (label: string, { expected, found, right }: Score): string =>
      `| ${set} | ${label} | ${expected} | ${found} | ${right} |`;
    console.log(measured.map((label) => row(label, score.of(label))).join("\n"));
    console.log(row("all", score.all()));
    console.log(score.misses.join("\n"));
  }
}

describe("the model on the synthetic notes", () => {
  it("has a useful number of notes, with umlauts, emoji and CRLF among them", () => {
    expect(notes.length).toBeGreaterThanOrEqual(40);
    expect(notes.some((note) => note.text.includes("\r\n"))).toBe(true);
    expect(notes.some((note) => /\p{Emoji_Presentation}/u.test(note.text))).toBe(true);
    expect(notes.some((note) => /[äöüß]/.test(note.text))).toBe(true);
  });

  it.each([
    ["tuning", 0.95, 0.95],
    ["held-out", 0.8, 0.9],
  ] as const)("keeps its quality on the %s notes", (set, leastRecall, leastPrecision) => {
    const { expected, found, right } = scores[set].all();
    expect(expected).toBeGreaterThan(50);
    expect(right / expected, "recall").toBeGreaterThanOrEqual(leastRecall);
    expect(right / found, "precision").toBeGreaterThanOrEqual(leastPrecision);
  });

  it.each(["EMAIL", "PHONE", "MONEY", "PERCENT"])("finds every %s", (label) => {
    for (const score of Object.values(scores)) {
      const { expected, found, right } = score.of(label);
      expect({ found, right }).toEqual({ found: expected, right: expected });
    }
  });

  it("takes no medical abbreviation, disease or instrument for a name", async () => {
    const text =
      "CT and MRI done, ECG: NSR, BP 120/80. COPD and CHF. Wilson disease, Hodgkin lymphoma, Bell's palsy. " +
      "Glasgow Coma Scale 15. Parkinson's disease. Foley catheter.";
    const found = toAnnotations(text, await engine.find(text, never));
    expect(found.filter(({ label_id }) => ["PERSON", "PLACE", "ORGANISATION"].includes(label_id))).toEqual(
      [],
    );
  });

  it("loses nothing by not reading lines without a possible name", () => {
    const reader = new WinkReader();
    let skipped = 0;
    for (const { text } of notes) {
      for (const sentence of reader.read(text).sentences) {
        for (const { start, end } of linesOf(text, sentence, 1_000)) {
          const line = text.slice(start, end);
          if (mayHoldName(line)) continue;
          skipped += 1;
          expect(findNames(line), line).toEqual([]);
        }
      }
    }
    expect(skipped).toBeGreaterThan(30);
  });

  it("gives the same answer each time, whatever it read in between", async () => {
    const first: unknown[] = [];
    for (const note of notes) first.push(await engine.find(note.text, never));
    const second = await Promise.all(notes.toReversed().map((note) => engine.find(note.text, never)));
    expect(second.toReversed()).toEqual(first);
  });
});
