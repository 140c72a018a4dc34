// Invented notes for the demo: those of the example server, each with a last line of its own, so that no two are alike.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../lib/processes.mjs";

const doctors = [
  "Anna Kowalski",
  "Peter Brandt",
  "Grace Okafor",
  "Liam Murphy",
  "Sofia Rossi",
  "Arjun Patel",
];
const towns = ["Leeds", "Hamburg", "Dublin", "Toronto", "Lisbon", "Cardiff"];
const months = ["January", "March", "May", "July", "September", "November"];

/** Numbers in [0, 1) that are the same for the same seed (mulberry32). */
export function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A number in capital letters, which no part of the model takes for an entity. */
function letters(number) {
  return String(number + 1_000).replace(/\d/g, (digit) => "BCDFGHJKLM"[digit]);
}

/** `count` notes with a priority from 0 to 10 each. */
export function makeNotes(count, random) {
  const file = join(root, "examples/nlp-server/notes/notes.ndjson");
  const bases = readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line).text);
  const below = (limit) => Math.floor(random() * limit);
  const one = (list) => list[below(list.length)];
  return Array.from({ length: count }, (_, index) => {
    const time = `${8 + below(9)}:${String(below(60)).padStart(2, "0")}`;
    const seen = `Seen by Dr. ${one(doctors)} in ${one(towns)} on ${1 + below(28)} ${one(months)} 2024 at ${time}.`;
    return {
      number: index + 1,
      priority: below(11),
      text: `${one(bases)}\n${seen} Ref. ${letters(index)}`,
    };
  });
}
