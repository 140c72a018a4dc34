import { type Scores, scoreExport } from "../exports/scores.ts";
import type { TrainerExport } from "../exports/trainer-export.ts";
import type { LearningEngine } from "../learning/learning-engine.ts";
import { PhraseBook } from "../learning/phrase-book.ts";
import { Tagger } from "../learning/tagger.ts";
import { labelNames } from "../nlp/labels.ts";
import { type AnnotatedDocument, readDocument } from "./annotated-document.ts";
import { logConcepts, logOverall } from "./log-scores.ts";
import { type TrainedModel, type TrainingLog, turns } from "./training-log.ts";

export interface SupervisedOptions {
  /** 0 measures the model as it is. */
  epochs: number;
  /** The share of the documents, the last ones, that is measured on and not learned from. */
  testSize: number;
  learningRate: number;
  /** After so many epochs without a better f1 the training ends; not above 0 is never. */
  patience: number;
  /** After how many epochs the model is measured. */
  logFrequency: number;
}

/** Measures the model as it is against an export. */
export async function evaluate(
  engine: LearningEngine,
  trainerExport: TrainerExport,
  log: TrainingLog,
  signal: AbortSignal,
): Promise<undefined> {
  const scores = await scoreExport(engine, trainerExport, signal);
  logOverall(scores, log, 0);
  const documents = trainerExport.projects.flatMap((project) => project.documents).map(readDocument);
  logConcepts(scores.concepts, log, { annotated: countsOf(documents), trained: new Map() });
  return undefined;
}

/**
 * Learns from an export which phrases stand for which label, and what stands around them, and measures on documents
 * that it did not learn from. What the model learned before is kept.
 */
export async function trainSupervised(
  engine: LearningEngine,
  trainerExport: TrainerExport,
  options: SupervisedOptions,
  log: TrainingLog,
  signal: AbortSignal,
): Promise<TrainedModel | undefined> {
  const { epochs, testSize, learningRate, patience, logFrequency } = options;
  if (epochs === 0) return evaluate(engine, trainerExport, log, signal);
  const documents = trainerExport.projects.flatMap((project) => project.documents);
  const held = Math.min(documents.length, Math.round(documents.length * testSize));
  const learned = documents.slice(0, documents.length - held).map(readDocument);
  // As in CMS, without documents to test on the ones that were learned from are measured.
  const measured = { projects: [{ id: 0, documents: held > 0 ? documents.slice(-held) : documents }] };
  const phrases = new PhraseBook(engine.learned.phrases);
  const tagger = new Tagger(engine.learned.tagger);
  for (const [name, value] of Object.entries({ learning_rate: learningRate, model: "perceptron" })) {
    log.param(name, String(value));
  }
  for (const document of learned) learnPhrases(phrases, document);
  const giveWay = turns(signal);
  const trained = engine.with({ phrases, tagger });
  let scores: Scores | undefined;
  let best = { f1: -1, epoch: 0 };
  for (let epoch = 1; epoch <= epochs; epoch += 1) {
    for (const { tokens, accepted } of learned) {
      tagger.learn(tokens, accepted, learningRate);
      await giveWay();
    }
    if (epoch % logFrequency === 0 || epoch === epochs) {
      scores = await scoreExport(trained, measured, signal);
      log.metric("phrases", phrases.size, epoch);
      logOverall(scores, log, epoch);
      if (scores.overall.f1 > best.f1) best = { f1: scores.overall.f1, epoch };
    }
    await log.pace(epoch / epochs);
    if (patience > 0 && scores && epoch - best.epoch >= patience) break;
  }
  const annotated = countsOf(documents.map(readDocument));
  logConcepts(scores?.concepts ?? [], log, { annotated, trained: countsOf(learned) });
  logUnknown([...annotated.keys()], log);
  return {
    file: () => JSON.stringify({ phrases, tagger }),
    serve: () => engine.adopt({ phrases, tagger }),
  };
}

function learnPhrases(phrases: PhraseBook, { text, accepted, refused }: AnnotatedDocument): void {
  for (const { start, end, label } of accepted) phrases.vote(text.slice(start, end), label);
  for (const { start, end } of refused) phrases.vote(text.slice(start, end));
}

function logUnknown(concepts: readonly string[], log: TrainingLog): void {
  if (concepts.length === 0) return;
  const unknown = concepts.filter((concept) => !Object.hasOwn(labelNames, concept)).length;
  log.metric("unknown_concept_count", unknown, 0);
  log.metric("unknown_concept_pct", Math.round((unknown / concepts.length) * 10_000) / 100, 0);
}

function countsOf(documents: readonly AnnotatedDocument[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { label } of documents.flatMap(({ accepted }) => accepted)) {
    counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  return counts;
}
