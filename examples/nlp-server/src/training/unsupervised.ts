import type { LearningEngine } from "../learning/learning-engine.ts";
import { NameBook } from "../learning/name-book.ts";
import { tokensOf } from "../learning/tokens.ts";
import { type TrainedModel, type TrainingLog, turns } from "./training-log.ts";

export interface UnsupervisedOptions {
  epochs: number;
  /** The share of the texts, the last ones, that is only measured. */
  testSize: number;
  /** How many texts make a batch; after each, metrics are logged. */
  logFrequency: number;
}

/** Learns names and abbreviations from texts without annotations, a batch at a time. */
export async function trainUnsupervised(
  engine: LearningEngine,
  texts: readonly string[],
  { epochs, testSize, logFrequency }: UnsupervisedOptions,
  log: TrainingLog,
  signal: AbortSignal,
): Promise<TrainedModel> {
  const learned = texts.slice(0, texts.length - Math.floor(texts.length * Math.min(1, testSize)));
  const held = texts.slice(learned.length);
  const names = new NameBook(engine.learned.names);
  const before = countsOf(names);
  const giveWay = turns(signal);
  let read = 0;
  let tokens = 0;
  for (let epoch = 1; epoch <= epochs; epoch += 1) {
    // Nothing new is in the same texts: a second pass would only count every word twice.
    const passes = epoch === 1 ? learned : [];
    for (let from = 0; from < passes.length; from += logFrequency) {
      signal.throwIfAborted();
      for (const text of passes.slice(from, from + logFrequency)) {
        tokens += names.learn(text, await engine.find(text, signal));
        read += 1;
        await giveWay();
      }
      const metrics = {
        number_of_docs: read,
        number_of_tokens: tokens,
        number_of_words: names.words,
        number_of_names: names.labels.size,
        number_of_concepts: countsOf(names).size,
      };
      for (const [name, value] of Object.entries(metrics)) log.metric(name, value);
      await log.pace((epoch - 1 + read / Math.max(1, learned.length)) / epochs);
    }
    await log.pace(epoch / epochs);
  }
  if (held.length > 0) log.metric("vocabulary_coverage", coverageOf(names, held));
  const after = countsOf(names);
  for (const [step, label] of [...after.keys()].sort().entries()) {
    log.metric("per_concept_train_count_before", before.get(label) ?? 0, step);
    log.metric("per_concept_train_count_after", after.get(label) ?? 0, step);
  }
  log.tag("training.token.count", String(tokens));
  log.tag("training.entity.classes", JSON.stringify([...after.keys()].sort()));
  return { file: () => JSON.stringify({ names }), serve: () => engine.adopt({ names }) };
}

/** The share of the words of texts that were seen in training. */
function coverageOf(names: NameBook, texts: readonly string[]): number {
  const words = texts.flatMap((text) => tokensOf(text)).filter(({ text }) => /\p{L}/u.test(text));
  return words.length === 0 ? 0 : words.filter(({ text }) => names.knows(text)).length / words.length;
}

function countsOf(names: NameBook): Map<string, number> {
  const counts = new Map<string, number>();
  for (const label of names.labels.values()) counts.set(label, (counts.get(label) ?? 0) + 1);
  return counts;
}
