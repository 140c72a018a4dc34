import type { Embedder } from "../embeddings.ts";
import type { Engine } from "../engine.ts";
import type { Answer } from "../http/answer.ts";
import type { Form } from "../http/form.ts";
import type { LearningEngine } from "../learning/learning-engine.ts";
import type { Metrics } from "../metrics.ts";
import { type Annotation, toAnnotations } from "../nlp/code-points.ts";
import type { Behaviours } from "../runs/behaviours.ts";
import type { Runs } from "../runs/runs.ts";

/** All that the routes work with. */
export interface Model {
  name: string;
  /** What it is, for `/info`. */
  description: string;
  /** The packages that it is made of, with their versions. */
  parts: readonly string[];
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

/** A request whose body is worked on while it comes in. */
export interface StreamRequest {
  model: Model;
  /** The path, by which work is counted. */
  route: string;
  incoming: AsyncIterable<Buffer>;
  query: URLSearchParams;
  /** Aborted when the client hangs up. */
  signal: AbortSignal;
  /** To be called with each text, for the counts. */
  onText(text: string): void;
}

export type StreamRoute = (request: StreamRequest) => Answer | Promise<Answer>;

/** A route that asks nothing of the model. */
export interface InfoRoute {
  method: "GET" | "POST";
  /** Whether it answers `HEAD` too; most routes of CMS do not. */
  answersHead?: boolean;
  /** Whether it asks for no authentication. */
  isOpen?: boolean;
  answer(model: Model, query: URLSearchParams, context: InfoContext): Answer | Promise<Answer>;
}

interface InfoContext {
  /** What stood at the end of a path that takes a name. */
  name: string;
  /** Aborted when the client hangs up. */
  signal: AbortSignal;
  /** Aborted when the server stops. */
  stop: AbortSignal;
}

/** A route that takes a small form; all are posted. */
export interface FormRoute {
  isOpen: boolean;
  answer(form: Form): Promise<Answer>;
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
