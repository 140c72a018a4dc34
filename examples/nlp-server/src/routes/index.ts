import type { Authenticator } from "../auth/authenticator.ts";
import type { Generator } from "../generation/generation.ts";
import { json, metricsType, text } from "../http/answer.ts";
import { EventHub } from "../streaming/event-hub.ts";
import { authRoutes } from "./auth-routes.ts";
import { embedTexts } from "./embedding-route.ts";
import {
  exportStats,
  interAnnotatorAgreement,
  joinExports,
  previewExport,
  sanityCheck,
} from "./export-routes.ts";
import { generateRoute, generateStreamRoute, generateVllmRoute } from "./generate-routes.ts";
import type { InfoRoute, Model, WorkRoute } from "./model.ts";
import { modelListRoute, modelRoute } from "./model-list.ts";
import { ollamaInfoRoutes, ollamaWorkRoutes } from "./ollama-routes.ts";
import { chatRoute, completionRoute } from "./openai-routes.ts";
import { RouteTable } from "./route-table.ts";
import { cancelRoute, runInfoRoute, runMetricsRoute } from "./run-routes.ts";
import {
  eventsRoute,
  eventTextsRoute,
  processStream,
  type StreamTimes,
  webSocketInfoRoute,
} from "./stream-routes.ts";
import {
  previewText,
  processLines,
  processText,
  processTextFile,
  processTexts,
  redactText,
  redactTextWithEncryption,
} from "./text-routes.ts";
import {
  beginEvaluation,
  beginHubTraining,
  beginMetacatTraining,
  beginSupervisedTraining,
  beginUnsupervisedTraining,
} from "./training-routes.ts";

/** What a server is for, by which its routes differ. */
export interface Parts {
  /** The generative routes are there with it, and those of the model server are not. */
  generator: Generator | undefined;
  /** Whether the generative routes are vLLM's, of which there are fewer. */
  isVllm: boolean;
  /** Before the routes of OpenAI's form. */
  openaiPrefix: string;
  /** The stream routes are there with it, and those of the model server are not. */
  stream: StreamTimes | undefined;
  authenticator: Authenticator | undefined;
}

/** The routes of a server: those that all have, and those of what it is for. */
export function routesOf(parts: Parts): RouteTable {
  const { generator, isVllm, stream, authenticator, openaiPrefix } = parts;
  const table = new RouteTable().info([...cardRoutes]);
  if (generator && isVllm) return addVllmRoutes(table, generator);
  table.info(stateRoutes);
  if (authenticator) table.forms(authRoutes(authenticator));
  if (generator) addGenerativeRoutes(table, generator, openaiPrefix);
  if (stream) addStreamRoutes(table, stream);
  return generator || stream ? table : table.info(runRoutes).work(modelRoutes);
}

const cardRoutes: readonly (readonly [string, InfoRoute])[] = [
  ["/info", { method: "GET", answer: (model) => json(200, modelCard(model)) }],
  [
    "/metrics",
    {
      method: "GET",
      isOpen: true,
      answer: ({ metrics }) => ({ status: 200, contentType: metricsType, body: metrics.render() }),
    },
  ],
];

const stateRoutes: readonly (readonly [string, InfoRoute])[] = [
  ["/healthz", { method: "GET", isOpen: true, answer: () => text(200, "OK") }],
  ["/readyz", { method: "GET", isOpen: true, answer: ({ engine }) => text(200, engine.type) }],
];

const runRoutes: readonly (readonly [string, InfoRoute])[] = [
  ["/train_eval_info", runInfoRoute],
  ["/train_eval_metrics", runMetricsRoute],
  ["/cancel_training", cancelRoute],
];

/** Routes that use the model: all take a POST, and count against the capacity until they are answered. */
const modelRoutes: readonly (readonly [string, WorkRoute])[] = [
  ["/process", processText],
  ["/process_bulk", processTexts],
  ["/process_bulk_file", processTextFile],
  ["/process_jsonl", processLines],
  ["/redact", redactText],
  ["/redact_with_encryption", redactTextWithEncryption],
  ["/preview", previewText],
  ["/preview_trainer_export", previewExport],
  ["/sanity-check", sanityCheck],
  ["/iaa-scores", interAnnotatorAgreement],
  ["/concat_trainer_exports", joinExports],
  ["/annotation-stats", exportStats],
  ["/evaluate", beginEvaluation],
  ["/train_supervised", beginSupervisedTraining],
  ["/train_unsupervised", beginUnsupervisedTraining],
  ["/train_unsupervised_with_hf_hub_dataset", beginHubTraining],
  ["/train_metacat", beginMetacatTraining],
  ["/v1/embeddings", embedTexts],
];

function addStreamRoutes(table: RouteTable, times: StreamTimes): void {
  const hub = new EventHub();
  table
    .info([
      ["/stream/ws", webSocketInfoRoute],
      ["/stream/sse/events", eventsRoute(hub, times)],
    ])
    .streams([
      ["/stream/process", processStream],
      ["/stream/sse/process", eventTextsRoute(hub, times)],
    ]);
}

function addGenerativeRoutes(table: RouteTable, generator: Generator, prefix: string): void {
  table
    .info([
      [`${prefix}/models`, modelListRoute("cms")],
      [`${prefix}/models/{name}`, modelRoute],
      ...ollamaInfoRoutes,
    ])
    .work([
      ["/generate", generateRoute(generator)],
      ["/stream/generate", generateStreamRoute(generator)],
      [`${prefix}/chat/completions`, chatRoute(generator, { isVllm: false })],
      [`${prefix}/completions`, completionRoute(generator, { isVllm: false })],
      [`${prefix}/embeddings`, embedTexts],
      ...ollamaWorkRoutes(generator),
    ]);
}

function addVllmRoutes(table: RouteTable, generator: Generator): RouteTable {
  return table
    .info([
      ["/v1/models", modelListRoute("vllm")],
      ["/v1/version", { method: "GET", answer: () => json(200, { version: "0.1.0" }) }],
    ])
    .work([
      ["/generate", generateVllmRoute(generator)],
      ["/v1/chat/completions", chatRoute(generator, { isVllm: true })],
      ["/v1/completions", completionRoute(generator, { isVllm: true })],
    ]);
}

function modelCard({ name, engine, description, parts }: Model): Record<string, unknown> {
  return {
    api_version: "0.3.0",
    model_type: engine.type,
    model_description: name,
    model_card: { "Model ID": name, Description: description, Parts: parts },
    labels: null,
  };
}
