import { textsInPackage } from "../datasets/unpack.ts";
import { readExports, type TrainerExport } from "../exports/trainer-export.ts";
import { message, notFound, Refusal } from "../http/answer.ts";
import { Form, type FormFile } from "../http/form.ts";
import { parseTextFile } from "../http/parse.ts";
import { QueryReader } from "../http/query.ts";
import { trainMetacat } from "../training/metacat.ts";
import { evaluate, trainSupervised } from "../training/supervised.ts";
import { trainUnsupervised, type UnsupervisedOptions } from "../training/unsupervised.ts";
import { type Acceptance, accept } from "./accept.ts";
import { textsIn } from "./export-routes.ts";
import type { Model, Work, WorkRequest } from "./model.ts";

const training: Acceptance = { kind: "training", retrySentence: "Please retry your training later." };
const textTraining: Acceptance = { kind: "training", retrySentence: "Please retry later." };
const evaluation: Acceptance = { kind: "evaluation", retrySentence: "Please retry later." };

export async function beginEvaluation(request: WorkRequest): Promise<Work> {
  const { model } = request;
  const query = new QueryReader(request.query);
  const trackingId = query.trackingId();
  const { files, trainerExport } = await readForm(request, query);
  return {
    texts: textsIn(trainerExport),
    answer: async () =>
      accept(model, evaluation, {
        trackingId,
        trainer: "supervised",
        mode: "eval",
        experiment: experimentOf(model, "supervised"),
        params: { nepochs: "0" },
        tags: tagsOf(model, files.map(nameOf), undefined, undefined),
        results: { "training.document.size": String(documentsIn(trainerExport)) },
        work: (log, signal) => evaluate(model.engine, trainerExport, log, signal),
      }),
  };
}

export async function beginSupervisedTraining(request: WorkRequest): Promise<Work> {
  const { model } = request;
  const query = new QueryReader(request.query);
  const trackingId = query.trackingId();
  const epochs = query.integer("epochs", 0) ?? 1;
  const learningRate = query.numberAbove("lr_override", 0);
  const testSize = Math.min(1, Math.max(0, query.number("test_size") ?? 0.2));
  const patience = query.integer("early_stopping_patience") ?? -1;
  const logFrequency = query.integer("log_frequency", 1) ?? 1;
  const { form, files, trainerExport } = await readForm(request, query);
  const options = { epochs, learningRate: learningRate ?? 1, testSize, patience, logFrequency };
  return {
    texts: textsIn(trainerExport),
    answer: async () =>
      accept(model, training, {
        trackingId,
        trainer: "supervised",
        mode: epochs === 0 ? "eval" : "train",
        experiment: experimentOf(model, "supervised"),
        params: paramsOf({
          nepochs: epochs,
          lr_override: learningRate,
          test_size: testSize,
          early_stopping_patience: patience,
        }),
        tags: tagsOf(model, files.map(nameOf), form.text("description"), logFrequency),
        results: { "training.document.size": String(documentsIn(trainerExport)) },
        work: (log, signal) => trainSupervised(model.engine, trainerExport, options, log, signal),
      }),
  };
}

export async function beginMetacatTraining(request: WorkRequest): Promise<Work> {
  const { model } = request;
  if (!model.trainsMetacat) throw new Refusal(notFound);
  const query = new QueryReader(request.query);
  const trackingId = query.trackingId();
  const epochs = query.integer("epochs", 0) ?? 1;
  const logFrequency = query.integer("log_frequency", 1) ?? 1;
  const { form, files, trainerExport } = await readForm(request, query);
  return {
    texts: textsIn(trainerExport),
    answer: async () =>
      accept(model, training, {
        trackingId,
        trainer: "metacat",
        experiment: experimentOf(model, "metacat"),
        params: paramsOf({ nepochs: epochs }),
        tags: tagsOf(model, files.map(nameOf), form.text("description"), logFrequency),
        results: { "training.document.size": String(documentsIn(trainerExport)) },
        work: (log, signal) =>
          trainMetacat(model.engine, trainerExport, { epochs, logFrequency }, log, signal),
      }),
  };
}

export async function beginUnsupervisedTraining(request: WorkRequest): Promise<Work> {
  const query = new QueryReader(request.query);
  const trackingId = query.trackingId();
  const options = unsupervisedOptions(query);
  const form = await Form.read(request.body, request.contentType);
  const files = await form.requiredFiles("training_data");
  query.check(...form.issues);
  const texts = files.flatMap((file) => parseTextFile(file.bytes));
  const names = files.map(nameOf);
  return textWork(request.model, texts, {
    trackingId,
    names,
    description: form.text("description"),
    options,
  });
}

export async function beginHubTraining(request: WorkRequest): Promise<Work> {
  const query = new QueryReader(request.query);
  const trackingId = query.trackingId();
  const options = unsupervisedOptions(query);
  query.flag("trust_remote_code");
  const column = query.text("text_column_name") ?? "text";
  const repository = query.text("hf_dataset_repo_id");
  const description = query.text("description");
  const form = await Form.read(request.body, request.contentType);
  const file = (await form.files("hf_dataset_package")).at(-1);
  query.check(...form.issues);
  if (!file && repository === undefined) {
    throw new Refusal(message(400, "Either 'hf_dataset_repo_id' or 'hf_dataset_package' must be provided"));
  }
  // Datasets are not downloaded here, and CMS without a way to the hub fails in this way.
  if (!file) throw new Refusal(message(500, `Couldn't reach '${repository}' on the Hub (ConnectionError)`));
  const texts = textsInPackage(file, column);
  return textWork(request.model, texts, { trackingId, names: [file.name], description, options });
}

interface TextTraining {
  trackingId: string;
  names: readonly string[];
  description: string | undefined;
  options: UnsupervisedOptions;
}

function textWork(model: Model, texts: readonly string[], request: TextTraining): Work {
  const { trackingId, names, description, options } = request;
  return {
    texts,
    answer: async () =>
      accept(model, textTraining, {
        trackingId,
        trainer: "unsupervised",
        experiment: experimentOf(model, "unsupervised"),
        params: paramsOf({ nepochs: options.epochs, test_size: options.testSize }),
        tags: tagsOf(model, names, description, options.logFrequency),
        results: { "training.document.size": String(texts.length) },
        work: (log, signal) => trainUnsupervised(model.engine, texts, options, log, signal),
      }),
  };
}

function unsupervisedOptions(query: QueryReader): UnsupervisedOptions {
  const epochs = query.integer("epochs", 0) ?? 1;
  query.numberAbove("lr_override", 0);
  const testSize = query.number("test_size", 0) ?? 0.2;
  return { epochs, testSize, logFrequency: query.integer("log_frequency", 1) ?? 1_000 };
}

async function readForm(
  request: WorkRequest,
  query: QueryReader,
): Promise<{ form: Form; files: FormFile[]; trainerExport: TrainerExport }> {
  const form = await Form.read(request.body, request.contentType);
  const files = await form.requiredFiles("trainer_export");
  query.check(...form.issues);
  return { form, files, trainerExport: readExports(files) };
}

function experimentOf({ name }: Model, trainer: string): string {
  return `${name} ${trainer}`.replaceAll(" ", "_");
}

function paramsOf(values: Record<string, number | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value ?? "None")]));
}

/** What CMS writes down before the work begins. */
function tagsOf(
  model: Model,
  names: readonly string[],
  description: string | undefined,
  logFrequency: number | undefined,
): Record<string, string> {
  return {
    "mlflow.note.content": description ?? "",
    "training.input_data.filename": names.join(","),
    "training.base_model.origin": model.engine.type,
    "training.is.tracked": "True",
    // CMS gives an evaluation the largest number that it has.
    "training.metrics.log_frequency": String(logFrequency ?? 9_223_372_036_854_775_807n),
  };
}

function documentsIn({ projects }: TrainerExport): number {
  return projects.reduce((sum, { documents }) => sum + documents.length, 0);
}

function nameOf({ name }: FormFile): string {
  return name;
}
