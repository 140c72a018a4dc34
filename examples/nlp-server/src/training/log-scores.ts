import type { ConceptScore, Scores } from "../exports/scores.ts";
import type { TrainingLog } from "./training-log.ts";

export function logOverall({ overall }: Scores, log: TrainingLog, step?: number): void {
  log.metric("precision", overall.precision, step);
  log.metric("recall", overall.recall, step);
  log.metric("f1", overall.f1, step);
}

/** As in CMS, the values of these metrics are those of the concepts one after the other, once. */
export function logConcepts(
  concepts: readonly ConceptScore[],
  log: TrainingLog,
  /** How many annotations a concept has, and from how many of them the model learned. */
  counts: { annotated: ReadonlyMap<string, number>; trained: ReadonlyMap<string, number> },
): void {
  const sums = { fp: 0, fn: 0, tp: 0, cc: 0 };
  for (const [step, score] of concepts.entries()) {
    const { concept, truePositives, falsePositives, falseNegatives, precision, recall, f1 } = score;
    const annotated = counts.annotated.get(concept) ?? 0;
    sums.fp += falsePositives;
    sums.fn += falseNegatives;
    sums.tp += truePositives;
    sums.cc += annotated;
    const values = {
      fp: falsePositives,
      fn: falseNegatives,
      tp: truePositives,
      counts: annotated,
      count_train: counts.trained.get(concept) ?? 0,
      acc_fp: sums.fp,
      acc_fn: sums.fn,
      acc_tp: sums.tp,
      acc_cc: sums.cc,
      precision,
      recall,
      f1,
    };
    for (const [name, value] of Object.entries(values)) log.metric(`per_concept_${name}`, value, step);
  }
  log.tag("training.entity.classes", JSON.stringify(concepts.map(({ concept }) => concept)));
  const names = Object.fromEntries(concepts.map(({ concept, name }) => [concept, name]));
  log.tag("training.entity.class2names", JSON.stringify(names));
}
