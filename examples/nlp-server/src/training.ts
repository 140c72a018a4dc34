import type { Engine } from "./engine.ts";
import { type Scores, scoreExport } from "./exports/scores.ts";
import {
  acceptedOf,
  codePointSlicer,
  type Document,
  type TrainerExport,
  textOf,
} from "./exports/trainer-export.ts";
import { isLabel, type LabelId, type Span } from "./nlp/labels.ts";
import { resolveOverlaps } from "./nlp/overlap.ts";
import type { RunLog } from "./runs.ts";

/** Measures the model as it is against an export. */
export async function evaluate(
  engine: Engine,
  trainerExport: TrainerExport,
  log: RunLog,
  signal: AbortSignal,
): Promise<void> {
  logScores(await scoreExport(engine, trainerExport, signal), log);
}

export interface SupervisedOptions {
  epochs: number;
  /** The share of the documents, the last ones, that is measured on and not learned from. */
  testSize: number;
}

/**
 * Learns from an export which phrases stand for which label, and measures after each epoch how the model does with
 * them. The model that is served stays as it is: what was learned is forgotten with the run.
 */
export async function trainSupervised(
  engine: Engine,
  trainerExport: TrainerExport,
  { epochs, testSize }: SupervisedOptions,
  log: RunLog,
  signal: AbortSignal,
): Promise<void> {
  const documents = trainerExport.projects.flatMap((project) => project.documents);
  const held = Math.min(documents.length, Math.round(documents.length * testSize));
  const learned = documents.slice(0, documents.length - held);
  // As in CMS, without documents to test on the ones that were learned from are measured.
  const measured = { projects: [{ id: 0, documents: held > 0 ? documents.slice(-held) : learned }] };
  const phrases = new PhraseBook();
  for (let epoch = 0; epoch < epochs; epoch += 1) {
    for (const document of learned) phrases.learn(document);
    log.metric("phrases", phrases.size);
    logScores(await scoreExport(phrases.extend(engine), measured, signal), log);
  }
}

/** Counts the words of texts, a batch at a time, and logs after each batch what is known so far. */
export async function trainUnsupervised(
  texts: readonly string[],
  batchSize: number,
  log: RunLog,
  signal: AbortSignal,
): Promise<void> {
  const words = new Set<string>();
  let tokens = 0;
  for (let from = 0; from < texts.length; from += batchSize) {
    signal.throwIfAborted();
    const batch = texts.slice(from, from + batchSize);
    for (const [word] of batch.join("\n").matchAll(/[\p{L}\p{M}]+/gu)) {
      words.add(word.toLowerCase());
      tokens += 1;
    }
    log.metric("number_of_docs", Math.min(from + batchSize, texts.length));
    log.metric("number_of_tokens", tokens);
    log.metric("number_of_words", words.size);
    await new Promise(setImmediate);
  }
}

function logScores({ overall, concepts }: Scores, log: RunLog): void {
  log.metric("precision", overall.precision);
  log.metric("recall", overall.recall);
  log.metric("f1", overall.f1);
  for (const { truePositives, falsePositives, falseNegatives, precision, recall, f1 } of concepts) {
    log.metric("per_concept_tp", truePositives);
    log.metric("per_concept_fp", falsePositives);
    log.metric("per_concept_fn", falseNegatives);
    log.metric("per_concept_precision", precision);
    log.metric("per_concept_recall", recall);
    log.metric("per_concept_f1", f1);
  }
  log.tag("training.entity.classes", JSON.stringify(concepts.map(({ concept }) => concept)));
}

/** Phrases and the label that the annotators gave them most often. */
class PhraseBook {
  readonly #labels = new Map<string, Map<LabelId, number>>();

  get size(): number {
    return this.#labels.size;
  }

  learn(document: Document): void {
    const slice = codePointSlicer(textOf(document));
    for (const { start, end, cui } of acceptedOf(document)) {
      const phrase = slice(start, end);
      if (phrase.trim() === "" || !isLabel(cui)) continue;
      const counts = this.#labels.get(phrase) ?? new Map<LabelId, number>();
      counts.set(cui, (counts.get(cui) ?? 0) + 1);
      this.#labels.set(phrase, counts);
    }
  }

  /** An engine that finds the phrases as well. */
  extend(engine: Engine): Engine {
    return {
      type: engine.type,
      find: async (text, signal) =>
        resolveOverlaps([...(await engine.find(text, signal)), ...this.#find(text)]),
    };
  }

  *#find(text: string): Generator<Span> {
    for (const [phrase, counts] of this.#labels) {
      const [label] = [...counts].reduce((best, each) => (each[1] > best[1] ? each : best));
      for (let at = text.indexOf(phrase); at !== -1; at = text.indexOf(phrase, at + phrase.length)) {
        yield { start: at, end: at + phrase.length, label };
      }
    }
  }
}
