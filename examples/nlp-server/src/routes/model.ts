import type { Embedder } from "../embeddings.ts";
import type { Engine } from "../engine.ts";
import type { Answer } from "../http/answer.ts";
import type { LearningEngine } from "../learning/learning-engine.ts";
import type { Metrics } from "../metrics.ts";
import { type Annotation, toAnnotations } from "../nlp/code-points.ts";
import type { Behaviours } from "../runs/behaviours.ts";
import type { Runs } from "../runs/runs.ts";

/** All that the routes work with. */
export interface Model {
  name: string;
  engine: LearningEngine;
  embedder: Embedder;
  runs: Runs;
  behaviours: Behaviours;
  /** Whether meta models can be trained; CMS has it switched off. */
  trainsMetacat: boolean;
  metrics: Metrics;
}

export interface WorkRequest {
  model: Model;
  /** The path, by which work is counted. */
  route: string;
  body: Buffer;
  contentType: string | undefined;
  query: URLSearchParams;
}

/** What a work route has understood of a request: its texts, and how to answer them. */
export interface Work {
  texts: readonly string[];
  answer(signal: AbortSignal): Promise<Answer>;
}

export type WorkRoute = (request: WorkRequest) => Work | Promise<Work>;

/** A route that asks nothing of the model. */
export interface InfoRoute {
  method: "GET" | "POST";
  answer(model: Model, query: URLSearchParams): Answer | Promise<Answer>;
}

export interface AnnotatedText {
  text: string;
  annotations: Annotation[];
}

export async function annotate(engine: Engine, text: string, signal: AbortSignal): Promise<AnnotatedText> {
  return { text, annotations: toAnnotations(text, await engine.find(text, signal)) };
}

export async function annotateAll(
  { model, route }: WorkRequest,
  texts: readonly string[],
  signal: AbortSignal,
): Promise<AnnotatedText[]> {
  const results: AnnotatedText[] = [];
  for (const text of texts) results.push(await annotate(model.engine, text, signal));
  model.metrics.processedDocuments(route, texts.length);
  model.metrics.annotated(
    route,
    results.reduce((sum, { annotations }) => sum + annotations.length, 0),
  );
  return results;
}
