import { redactWithEncryption } from "../encrypt.ts";
import { attachment, json, jsonLinesType, text } from "../http/answer.ts";
import { Form } from "../http/form.ts";
import { missing, notString, unprocessable } from "../http/issues.ts";
import {
  parseLines,
  parseObject,
  parseRedactOptions,
  parseText,
  parseTextFile,
  parseTexts,
} from "../http/parse.ts";
import { QueryReader } from "../http/query.ts";
import { nameOf } from "../nlp/labels.ts";
import { renderEntities } from "../preview.ts";
import { noRedaction, redact } from "../redact.ts";
import { annotate, annotateAll, type Work, type WorkRequest } from "./model.ts";

export function processText({ model, route, body, contentType }: WorkRequest): Work {
  const note = parseText(body, contentType);
  return {
    texts: [note],
    answer: async (signal) => {
      const result = await annotate(model.engine, note, signal);
      model.metrics.annotated(route, result.annotations.length);
      return json(200, result);
    },
  };
}

export function processTexts(request: WorkRequest): Work {
  const texts = parseTexts(request.body, request.contentType);
  return { texts, answer: async (signal) => json(200, await annotateAll(request, texts, signal)) };
}

export async function processTextFile(request: WorkRequest): Promise<Work> {
  const query = new QueryReader(request.query);
  const trackingId = query.trackingId();
  const form = await Form.read(request.body, request.contentType);
  const [file] = (await form.requiredFiles("multi_text_file")).slice(-1);
  query.check(...form.issues);
  const texts = file ? parseTextFile(file.bytes) : [];
  return {
    texts,
    answer: async (signal) => {
      const results = JSON.stringify(await annotateAll(request, texts, signal));
      return attachment("application/json", `entities_${trackingId}.json`, results);
    },
  };
}

export function processLines({ model, route, body, contentType }: WorkRequest): Work {
  const documents = parseLines(body, contentType);
  async function* lines(signal: AbortSignal): AsyncGenerator<string> {
    for (const { name, text: note } of documents) {
      const { annotations } = await annotate(model.engine, note, signal);
      model.metrics.annotated(route, annotations.length);
      const piece = annotations.map((each) => `${JSON.stringify({ doc_name: name, ...each })}\n`).join("");
      if (piece !== "") yield piece;
    }
  }
  return {
    texts: documents.map((document) => document.text),
    answer: async (signal) => ({ status: 200, contentType: jsonLinesType, body: lines(signal) }),
  };
}

export function redactText({ model, route, body, contentType, query }: WorkRequest): Work {
  const note = parseText(body, contentType);
  const options = parseRedactOptions(query);
  return {
    texts: [note],
    answer: async (signal) => {
      const spans = await model.engine.find(note, signal);
      model.metrics.annotated(route, spans.length);
      return text(200, redact(note, spans, options));
    },
  };
}

export function redactTextWithEncryption({ model, route, body, contentType, query }: WorkRequest): Work {
  const reader = new QueryReader(query);
  const warns = reader.flag("warn_on_no_redaction");
  const fields = parseObject(body, contentType);
  const { text: note, public_key_pem: key } = fields;
  if (typeof note !== "string" || typeof key !== "string") {
    const issues = Object.entries({ text: note, public_key_pem: key })
      .filter(([, value]) => typeof value !== "string")
      .map(([name, value]) => {
        return value === undefined ? missing(["body", name], fields) : notString(["body", name], value);
      });
    reader.check(...issues);
    throw unprocessable(...issues);
  }
  reader.check();
  return {
    texts: [note],
    answer: async (signal) => {
      const spans = await model.engine.find(note, signal);
      model.metrics.annotated(route, spans.length);
      if (spans.length === 0 && warns) return json(200, { message: noRedaction });
      return json(200, redactWithEncryption(note, spans, key));
    },
  };
}

export function previewText({ model, body, contentType, query }: WorkRequest): Work {
  const trackingId = new QueryReader(query).trackingId();
  const note = parseText(body, contentType);
  return {
    texts: [note],
    answer: async (signal) => {
      const spans = await model.engine.find(note, signal);
      const entities = spans.map(({ start, end, label }) => ({
        start,
        end,
        label: nameOf(label),
        id: label,
      }));
      const html = renderEntities((start, end) => note.slice(start, end), entities);
      return attachment("application/octet-stream", `preview_${trackingId}.html`, html);
    },
  };
}
