import { readExports } from "../exports/trainer-export.ts";
import { type Answer, json, message, Refusal } from "../http/answer.ts";
import { Form, type FormFile } from "../http/form.ts";
import { missing, unprocessable } from "../http/issues.ts";
import { parseTextFile } from "../http/parse.ts";
import { QueryReader } from "../http/query.ts";
import type { RunRequest } from "../runs.ts";
import { evaluate, trainSupervised, trainUnsupervised } from "../training.ts";
import { textsIn } from "./export-routes.ts";
import type { InfoRoute, Model, Work, WorkRequest } from "./model.ts";

const oldRunsSentence = "Another training or evaluation on this model is still active.";

export async function beginEvaluation(request: WorkRequest): Promise<Work> {
  const { model } = request;
  const query = new QueryReader(request.query);
  const trackingId = query.trackingId();
  const form = await Form.read(request.body, request.contentType);
  const files = await form.requiredFiles("trainer_export");
  query.check(...form.issues);
  const trainerExport = readExports(files);
  return {
    texts: textsIn(trainerExport),
    answer: async () =>
      begin(model, "evaluation", {
        trackingId,
        experiment: `${model.name}_supervised`,
        tags: tagsOf(files, "eval", documentsIn(trainerExport.projects)),
        work: (log, signal) => evaluate(model.engine, trainerExport, log, signal),
      }),
  };
}

export async function beginSupervisedTraining(request: WorkRequest): Promise<Work> {
  const { model } = request;
  const query = new QueryReader(request.query);
  const trackingId = query.trackingId();
  const epochs = query.integer("epochs", 0) ?? 1;
  const testSize = Math.min(1, Math.max(0, query.number("test_size") ?? 0.2));
  const form = await Form.read(request.body, request.contentType);
  const files = await form.requiredFiles("trainer_export");
  query.check(...form.issues);
  const trainerExport = readExports(files);
  return {
    texts: textsIn(trainerExport),
    answer: async () =>
      begin(model, "training", {
        trackingId,
        experiment: `${model.name}_supervised`,
        tags: tagsOf(files, "train", documentsIn(trainerExport.projects), form.text("description")),
        work: (log, signal) =>
          trainSupervised(model.engine, trainerExport, { epochs, testSize }, log, signal),
      }),
  };
}

export async function beginUnsupervisedTraining(request: WorkRequest): Promise<Work> {
  const { model } = request;
  const query = new QueryReader(request.query);
  const trackingId = query.trackingId();
  const batchSize = query.integer("log_frequency", 1) ?? 1_000;
  const form = await Form.read(request.body, request.contentType);
  const files = await form.requiredFiles("training_data");
  query.check(...form.issues);
  const texts = files.flatMap((file) => parseTextFile(file.bytes));
  return {
    texts,
    answer: async () =>
      begin(model, "training", {
        trackingId,
        experiment: `${model.name}_unsupervised`,
        tags: tagsOf(files, "train", texts.length, form.text("description")),
        work: (log, signal) => trainUnsupervised(texts, batchSize, log, signal),
      }),
  };
}

/** CMS answers so for what a kind of model cannot do. */
export function refuseHubTraining(): Work {
  throw new Refusal(message(501, "This model does not train on datasets of the Hugging Face hub."));
}

export const runInfoRoute: InfoRoute = {
  method: "GET",
  answer: ({ runs }, query) => listed(runs.find(runIdIn(query))),
};

export const runMetricsRoute: InfoRoute = {
  method: "GET",
  answer: ({ runs }, query) => listed(runs.metrics(runIdIn(query))),
};

export const cancelRoute: InfoRoute = {
  method: "POST",
  answer: ({ runs }) =>
    runs.cancel()
      ? message(202, "The in-progress training will be stopped momentarily.")
      : message(400, "Cannot find in-progress training or no trainers are enabled for the running model."),
};

function begin(model: Model, kind: "training" | "evaluation", request: RunRequest): Answer {
  const { accepted, ids } = model.runs.begin(request);
  if (accepted) {
    const sentence = `Your ${kind} started successfully.`;
    return json(202, { message: sentence, [`${kind}_id`]: request.trackingId, ...ids });
  }
  const again = kind === "training" ? "Please retry your training later." : "Please retry later.";
  return json(503, { message: `${oldRunsSentence} ${again}`, ...ids });
}

function tagsOf(
  files: readonly FormFile[],
  mode: "train" | "eval",
  documents: number,
  description?: string,
): Record<string, string> {
  return {
    "training.input_data.filename": files.map(({ name }) => name).join(","),
    "training.trainer.mode": mode,
    "training.document.size": String(documents),
    ...(description !== undefined && { "mlflow.note.content": description }),
  };
}

function documentsIn(projects: readonly { documents: readonly unknown[] }[]): number {
  return projects.reduce((sum, { documents }) => sum + documents.length, 0);
}

function runIdIn(query: URLSearchParams): string {
  const id = new QueryReader(query).text("train_eval_id");
  if (id === undefined) throw unprocessable(missing(["query", "train_eval_id"]));
  return id;
}

function listed(runs: readonly unknown[]): Answer {
  return json(runs.length > 0 ? 200 : 404, runs);
}
