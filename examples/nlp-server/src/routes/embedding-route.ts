import { longestInput, toBase64 } from "../embeddings.ts";
import { json, Refusal } from "../http/answer.ts";
import { type Issue, missing, notList, notString } from "../http/issues.ts";
import { parseObject } from "../http/parse.ts";
import { QueryReader } from "../http/query.ts";
import type { Work, WorkRequest } from "./model.ts";

/** Texts in the form of OpenAI's embeddings; the answer names this server's model whatever was asked for. */
export function embedTexts({ model, route, body, contentType, query }: WorkRequest): Work {
  const reader = new QueryReader(query);
  const headers = { "x-cms-tracking-id": reader.trackingId() };
  const fields = parseObject(body, contentType);
  reader.check(...issuesOf(fields));
  const texts = typeof fields["input"] === "string" ? [fields["input"]] : (fields["input"] as string[]);
  const asBase64 = formatOf(fields["encoding_format"], headers) === "base64";
  for (const text of texts) checkText(text, headers);
  return {
    texts,
    answer: async (signal) => {
      const { vectors, tokens } = await model.embedder.embed(texts, signal);
      model.metrics.processedDocuments(route, texts.length);
      const data = vectors.map((vector, index) => ({
        object: "embedding",
        embedding: asBase64 ? toBase64(vector) : vector,
        index,
      }));
      const usage = { prompt_tokens: tokens, total_tokens: tokens };
      return json(200, { object: "list", data, model: model.name, usage }, headers);
    },
  };
}

function issuesOf(fields: Record<string, unknown>): Issue[] {
  const issues: Issue[] = [];
  const { input, model } = fields;
  if (input === undefined) issues.push(missing(["body", "input"], fields));
  else if (Array.isArray(input)) {
    for (const [index, text] of input.entries()) {
      if (typeof text !== "string") issues.push(notString(["body", "input", "list[str]", index], text));
    }
    if (issues.length > 0) issues.unshift(notString(["body", "input", "str"], input));
  } else if (typeof input !== "string") {
    issues.push(notString(["body", "input", "str"], input), notList(["body", "input", "list[str]"], input));
  }
  if (model === undefined) issues.push(missing(["body", "model"], fields));
  else if (typeof model !== "string") issues.push(notString(["body", "model"], model));
  return issues;
}

function formatOf(value: unknown, headers: Record<string, string>): "float" | "base64" {
  if (value === undefined || value === null || value === "float") return "float";
  if (value === "base64") return "base64";
  throw invalid("encoding_format", 'Give "float" or "base64".', "invalid_value", headers);
}

function checkText(text: string, headers: Record<string, string>): void {
  if (text === "") throw invalid("input", "Give a text that is not empty.", "empty_input", headers);
  if (text.length > longestInput) {
    const sentence = `Give texts of at most ${longestInput} characters.`;
    throw invalid("input", sentence, "context_length_exceeded", headers);
  }
}

function invalid(param: string, sentence: string, code: string, headers: Record<string, string>): Refusal {
  const error = { message: sentence, type: "invalid_request_error", param, code };
  return new Refusal(json(400, { error }, headers));
}
