import type { Engine } from "../engine.ts";
import { toAnnotations } from "../nlp/code-points.ts";
import { byCodePoint, Float, toCsv } from "./csv.ts";
import { acceptedOf, type TrainerExport, textOf } from "./trainer-export.ts";

interface Score {
  precision: number;
  recall: number;
  f1: number;
}

export interface ConceptScore extends Score {
  concept: string;
  /** The model's name of the concept, or its id when the model found none. */
  name: string;
  truePositives: number;
  falsePositives: number;
  falseNegatives: number;
}

export interface Scores {
  overall: Score;
  /** By concept, in the order of their ids. */
  concepts: ConceptScore[];
}

interface Count {
  name: string;
  tp: number;
  fp: number;
  fn: number;
}

/**
 * Holds what the model finds in the texts of an export against what the annotators accepted. An entity is right if
 * its start, its end and its concept are. `onDocument` is called after each document, and waited for.
 */
export async function scoreExport(
  engine: Engine,
  { projects }: TrainerExport,
  signal: AbortSignal,
  onDocument: () => void | Promise<void> = () => {},
): Promise<Scores> {
  const counts = new Map<string, Count>();
  const of = (concept: string): Count => {
    const count = counts.get(concept) ?? { name: concept, tp: 0, fp: 0, fn: 0 };
    counts.set(concept, count);
    return count;
  };
  for (const document of projects.flatMap(({ documents }) => documents)) {
    const text = textOf(document);
    const open = new Map(acceptedOf(document).map(({ start, end, cui }) => [`${start}-${end}-${cui}`, cui]));
    for (const { start, end, label_id, label_name } of toAnnotations(text, await engine.find(text, signal))) {
      const count = of(label_id);
      count.name = label_name;
      if (open.delete(`${start}-${end}-${label_id}`)) count.tp += 1;
      else count.fp += 1;
    }
    for (const cui of open.values()) of(cui).fn += 1;
    await onDocument();
  }
  const concepts = [...counts]
    .sort(([a], [b]) => byCodePoint(a, b))
    .map(([concept, { name, tp, fp, fn }]) => {
      return {
        concept,
        name,
        truePositives: tp,
        falsePositives: fp,
        falseNegatives: fn,
        ...score(tp, fp, fn),
      };
    });
  const sum = { tp: 0, fp: 0, fn: 0 };
  for (const { tp, fp, fn } of counts.values()) {
    sum.tp += tp;
    sum.fp += fp;
    sum.fn += fn;
  }
  return { overall: score(sum.tp, sum.fp, sum.fn), concepts };
}

function score(tp: number, fp: number, fn: number): Score {
  const precision = tp + fp > 0 ? tp / (tp + fp) : 0;
  const recall = tp + fn > 0 ? tp / (tp + fn) : 0;
  const f1 = precision + recall > 0 ? (2 * (precision * recall)) / (precision + recall) : 0;
  return { precision, recall, f1 };
}

/** The answer of `/sanity-check`. */
export function scoresToCsv({ concepts }: Scores): string {
  return toCsv(
    ["concept", "name", "precision", "recall", "f1"],
    concepts.map(({ concept, name, precision, recall, f1 }) => [
      concept,
      name,
      new Float(precision),
      new Float(recall),
      new Float(f1),
    ]),
  );
}
