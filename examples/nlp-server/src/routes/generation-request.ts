import type { GenerationRequest } from "../generation/generation.ts";
import type { FieldReader } from "../http/fields.ts";
import type { QueryReader } from "../http/query.ts";

const defaults = { maxTokens: 512, temperature: 0.7, topP: 0.9 };

/** What `/generate` and `/stream/generate` can be told in their query. */
export function requestInQuery(query: QueryReader, prompt: string): GenerationRequest {
  return {
    prompt,
    maxTokens: query.integer("max_tokens", 1) ?? defaults.maxTokens,
    temperature: query.number("temperature", 0) ?? defaults.temperature,
    topP: query.number("top_p", 0) ?? defaults.topP,
    stop: query.all("stop_sequences"),
    fullSentences: query.flag("ensure_full_sentences"),
    ignoresEnd: query.flag("ignore_eos"),
    seed: query.integer("seed"),
    isReply: true,
  };
}

/** The same in the body of a request in OpenAI's form. */
export function requestInBody(
  fields: FieldReader,
  query: QueryReader,
  mostTemperature: number,
): Omit<GenerationRequest, "prompt"> {
  return {
    maxTokens:
      fields.integer("max_completion_tokens", 1) ?? fields.integer("max_tokens", 1) ?? defaults.maxTokens,
    temperature: fields.number("temperature", 0, mostTemperature) ?? defaults.temperature,
    topP: fields.number("top_p", 0, 1) ?? defaults.topP,
    stop: fields.texts("stop"),
    fullSentences: query.flag("ensure_full_sentences"),
    ignoresEnd: fields.flag("ignore_eos"),
    seed: fields.integer("seed", Number.MIN_SAFE_INTEGER),
  };
}

/** The same in the `options` of a request in Ollama's form. */
export function requestInOptions(
  options: FieldReader,
  query: QueryReader,
): Omit<GenerationRequest, "prompt"> {
  return {
    maxTokens: options.integer("num_predict", 1) ?? defaults.maxTokens,
    temperature: options.number("temperature", 0, Number.POSITIVE_INFINITY) ?? defaults.temperature,
    topP: options.number("top_p", 0, 1) ?? defaults.topP,
    stop: options.texts("stop"),
    fullSentences: query.flag("ensure_full_sentences"),
    ignoresEnd: options.flag("ignore_eos"),
    seed: options.integer("seed", Number.MIN_SAFE_INTEGER),
    isReply: true,
  };
}
