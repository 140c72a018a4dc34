import type { TrainerExport } from "../exports/trainer-export.ts";
import { message, Refusal } from "../http/answer.ts";
import type { LearningEngine } from "../learning/learning-engine.ts";
import { MetaBook } from "../learning/meta-book.ts";
import { readDocument } from "./annotated-document.ts";
import { type TrainedModel, type TrainingLog, turns } from "./training-log.ts";

/** Learns what the words around an entity say of it: whether it is affirmed, whose it is, and the like. */
export async function trainMetacat(
  engine: LearningEngine,
  trainerExport: TrainerExport,
  { epochs, logFrequency }: { epochs: number; logFrequency: number },
  log: TrainingLog,
  signal: AbortSignal,
): Promise<TrainedModel> {
  const documents = trainerExport.projects.flatMap((project) => project.documents).map(readDocument);
  const examples = documents.flatMap(({ tokens, accepted }) =>
    accepted.flatMap((span) => span.values.map(([name, value]) => ({ tokens, span, name, value }))),
  );
  if (examples.length === 0) {
    // CMS says so when there is no model or nothing to train it with.
    throw new Refusal(
      message(
        400,
        "No metacat model has been retrained. Double-check the presence of metacat models and your annotations.",
      ),
    );
  }
  const meta = new MetaBook(engine.learned.meta);
  const giveWay = turns(signal);
  for (let epoch = 1; epoch <= epochs; epoch += 1) {
    for (const { tokens, span, name, value } of examples) {
      meta.learn(name, value, tokens, span, 1);
      await giveWay();
    }
    if (epoch % logFrequency === 0 || epoch === epochs) {
      for (const kind of new Set(examples.map(({ name }) => name))) {
        const own = examples.filter(({ name }) => name === kind);
        const right = own.filter(
          ({ tokens, span, value }) => meta.annotate(tokens, span)[kind]?.value === value,
        );
        log.metric(`${metricName(kind)}_accuracy`, right.length / own.length, epoch);
      }
    }
    await log.pace(epoch / epochs);
  }
  log.metric("number_of_examples", examples.length);
  log.tag("training.entity.classes", JSON.stringify(meta.names));
  return { file: () => JSON.stringify({ meta }), serve: () => engine.adopt({ meta }) };
}

/** A tracker takes these signs only. */
function metricName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9_.\-/]/g, "_");
}
