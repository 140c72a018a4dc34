import type { Engine } from "./engine.ts";
import { type Answer, json, jsonLinesType, text } from "./http/answer.ts";
import { parseLines, parseRedactOptions, parseText, parseTexts } from "./http/parse.ts";
import { toAnnotations } from "./nlp/code-points.ts";
import { redact } from "./redact.ts";

export interface Model {
  name: string;
  engine: Engine;
}

/** What a work route has understood of a request: its texts, and how to answer them. */
export interface Work {
  texts: readonly string[];
  answer(signal: AbortSignal): Promise<Answer>;
}

export type WorkRoute = (
  model: Model,
  body: Buffer,
  contentType: string | undefined,
  query: URLSearchParams,
) => Work;

export type InfoRoute = (model: Model) => Answer;

export const infoRoutes: ReadonlyMap<string, InfoRoute> = new Map<string, InfoRoute>([
  ["/healthz", () => text(200, "OK")],
  ["/readyz", ({ engine }) => text(200, engine.type)],
  ["/info", ({ name, engine }) => json(200, modelCard(name, engine))],
]);

export const workRoutes: ReadonlyMap<string, WorkRoute> = new Map<string, WorkRoute>([
  ["/process", processText],
  ["/process_bulk", processTexts],
  ["/process_jsonl", processLines],
  ["/redact", redactText],
]);

function modelCard(name: string, engine: Engine): Record<string, unknown> {
  return {
    api_version: "0.3.0",
    model_type: engine.type,
    model_description: name,
    model_card: {
      "Model ID": name,
      Description: "Names, dates and amounts in English text, by rules. This is not a clinical model.",
      Parts: ["wink-nlp 2.4.0", "wink-eng-lite-web-model 1.8.1", "compromise 14.17.0"],
    },
    labels: null,
  };
}

function processText(model: Model, body: Buffer, contentType: string | undefined): Work {
  const note = parseText(body, contentType);
  return {
    texts: [note],
    answer: async (signal) => json(200, await annotated(model.engine, note, signal)),
  };
}

function processTexts(model: Model, body: Buffer, contentType: string | undefined): Work {
  const texts = parseTexts(body, contentType);
  return {
    texts,
    answer: async (signal) => {
      const results: unknown[] = [];
      for (const note of texts) results.push(await annotated(model.engine, note, signal));
      return json(200, results);
    },
  };
}

async function annotated(engine: Engine, note: string, signal: AbortSignal): Promise<unknown> {
  return { text: note, annotations: toAnnotations(note, await engine.find(note, signal)) };
}

function processLines(model: Model, body: Buffer, contentType: string | undefined): Work {
  const documents = parseLines(body, contentType);
  async function* lines(signal: AbortSignal): AsyncGenerator<string> {
    for (const { name, text: note } of documents) {
      let piece = "";
      for (const annotation of toAnnotations(note, await model.engine.find(note, signal))) {
        piece += `${JSON.stringify({ doc_name: name, ...annotation })}\n`;
      }
      if (piece !== "") yield piece;
    }
  }
  return {
    texts: documents.map((document) => document.text),
    answer: async (signal) => ({ status: 200, contentType: jsonLinesType, body: lines(signal) }),
  };
}

function redactText(
  model: Model,
  body: Buffer,
  contentType: string | undefined,
  query: URLSearchParams,
): Work {
  const note = parseText(body, contentType);
  const options = parseRedactOptions(query);
  return {
    texts: [note],
    answer: async (signal) => text(200, redact(note, await model.engine.find(note, signal), options)),
  };
}
