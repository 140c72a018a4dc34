import { readFileSync } from "node:fs";
import type { Annotation } from "../src/nlp/code-points.ts";

export interface Note {
  id: string;
  /** The rules were fitted to `tuning` and only measured on `held-out`. */
  set: "tuning" | "held-out";
  text: string;
  entities: { label: string; text: string }[];
}

export interface Score {
  expected: number;
  found: number;
  right: number;
}

export function readNotes(): Note[] {
  const source = readFileSync(new URL("../notes/notes.ndjson", import.meta.url), "utf8");
  return source
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Note);
}

/** Every entity of these labels is listed in the notes, so that precision can be measured as well. */
export const measured: readonly string[] = [
  "PERSON",
  "PLACE",
  "ORGANISATION",
  "DATE",
  "TIME",
  "MONEY",
  "PERCENT",
  "EMAIL",
  "URL",
  "PHONE",
];

/** Counts by label; an entity is right if label and text are the same, each time that it is listed. */
export class Scores {
  readonly byLabel: Map<string, Score> = new Map<string, Score>();
  readonly misses: string[] = [];

  add(note: Note, annotations: readonly Annotation[]): void {
    const open = note.entities.map((entity) => `${entity.label} ${entity.text}`);
    for (const key of open) this.#of(key).expected += 1;
    for (const { label_id, text } of annotations) {
      if (!measured.includes(label_id)) continue;
      const key = `${label_id} ${text}`;
      const score = this.#of(key);
      score.found += 1;
      const at = open.indexOf(key);
      if (at === -1) {
        this.misses.push(`${note.id} wrong ${key}`);
      } else {
        score.right += 1;
        open.splice(at, 1);
      }
    }
    for (const key of open) this.misses.push(`${note.id} missed ${key}`);
  }

  of(label: string): Score {
    return this.byLabel.get(label) ?? { expected: 0, found: 0, right: 0 };
  }

  all(): Score {
    const sum = { expected: 0, found: 0, right: 0 };
    for (const score of this.byLabel.values()) {
      sum.expected += score.expected;
      sum.found += score.found;
      sum.right += score.right;
    }
    return sum;
  }

  #of(key: string): Score {
    const label = key.slice(0, key.indexOf(" "));
    let score = this.byLabel.get(label);
    if (!score) {
      score = { expected: 0, found: 0, right: 0 };
      this.byLabel.set(label, score);
    }
    return score;
  }
}
