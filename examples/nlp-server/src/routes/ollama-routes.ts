import { longestInput } from "../embeddings.ts";
import type { Generation, GenerationRequest, GenerationResult, Generator } from "../generation/generation.ts";
import { type Answer, json, Refusal } from "../http/answer.ts";
import { FieldReader } from "../http/fields.ts";
import { parseObject } from "../http/parse.ts";
import { QueryReader } from "../http/query.ts";
import { requestInOptions } from "./generation-request.ts";
import { messageIn, promptOf } from "./messages.ts";
import type { InfoRoute, Model, Work, WorkRequest, WorkRoute } from "./model.ts";
import { modelIdOf } from "./model-list.ts";

const nanosecondsInMs = 1_000_000;

/** How a text is put into an answer: `/api/generate` and `/api/chat` differ in that only. */
type Wrap = (text: string) => Record<string, unknown>;

export const ollamaInfoRoutes: readonly (readonly [string, InfoRoute])[] = [
  ["/ollama/", { method: "GET", answersHead: true, answer: () => json(200, { status: "ok" }) }],
  ["/ollama/api/version", { method: "GET", answer: () => json(200, { version: "0.3.0" }) }],
  ["/ollama/api/tags", { method: "GET", answer: (model) => json(200, { models: [tagOf(model)] }) }],
];

export function ollamaWorkRoutes(generator: Generator): (readonly [string, WorkRoute])[] {
  return [
    ["/ollama/api/generate", generateRoute(generator)],
    ["/ollama/api/chat", chatRoute(generator)],
    ["/ollama/api/show", showModel(generator)],
    ["/ollama/api/embed", embed],
  ];
}

function generateRoute(generator: Generator): WorkRoute {
  return (request) => {
    const fields = new FieldReader(parseObject(request.body, request.contentType));
    const prompt = fields.requiredText("prompt");
    const empty = prompt === "" ? failure(400, "prompt is required") : undefined;
    return work(request, { generator, fields, prompt, empty, wrap: (response) => ({ response }) });
  };
}

function chatRoute(generator: Generator): WorkRoute {
  return (request) => {
    const fields = new FieldReader(parseObject(request.body, request.contentType));
    const messages = fields.objects("messages").map(messageIn);
    const empty = messages.length === 0 ? failure(400, "messages are required") : undefined;
    const wrap: Wrap = (content) => ({ message: { role: "assistant", content } });
    return work(request, { generator, fields, prompt: promptOf(messages), empty, wrap });
  };
}

interface Call {
  generator: Generator;
  fields: FieldReader;
  prompt: string;
  empty: Refusal | undefined;
  wrap: Wrap;
}

function work({ model, route, query }: WorkRequest, call: Call): Work {
  const { generator, fields, prompt, empty, wrap } = call;
  const reader = new QueryReader(query);
  fields.requiredText("model");
  // Unlike Ollama, CMS streams only where it is asked to.
  const isStream = fields.flag("stream");
  const request: GenerationRequest = { ...requestInOptions(fields.object("options"), reader), prompt };
  fields.check();
  reader.check();
  if (empty) throw empty;
  return {
    texts: [prompt],
    answer: async (signal) => {
      const begunAt = performance.now();
      const generation = generator.begin(request, signal);
      if (isStream) {
        const body = lines({ model, route, wrap, begunAt }, generation);
        return { status: 200, contentType: "application/x-ndjson", body };
      }
      const whole = await generation.text();
      model.metrics.generated(route, generation.result);
      return json(200, { ...head(model), ...wrap(whole), ...endOf(generation.result, begunAt) });
    },
  };
}

interface Telling {
  model: Model;
  route: string;
  wrap: Wrap;
  begunAt: number;
}

async function* lines(
  { model, route, wrap, begunAt }: Telling,
  generation: Generation,
): AsyncGenerator<string> {
  const line = (piece: string, more: object): string =>
    `${JSON.stringify({ ...head(model), ...wrap(piece), ...more })}\n`;
  for await (const piece of generation.pieces()) yield line(piece, { done: false });
  model.metrics.generated(route, generation.result);
  yield line("", endOf(generation.result, begunAt));
}

function head(model: Model): { model: string; created_at: string } {
  return { model: modelIdOf(model), created_at: new Date().toISOString() };
}

function endOf(result: GenerationResult, begunAt: number): Record<string, unknown> {
  return {
    done: true,
    done_reason: result.finishReason,
    prompt_eval_count: result.promptTokens,
    eval_count: result.completionTokens,
    ttft_in_milliseconds: result.ttftMs,
    tpot_in_milliseconds: result.tpotMs,
    total_duration: nanosecondsSince(begunAt),
  };
}

function tagOf(model: Model): Record<string, unknown> {
  const name = modelIdOf(model);
  const family = model.engine.type;
  return { name, model: name, details: { format: "cmsmp", family, families: [family] } };
}

function showModel(generator: Generator): WorkRoute {
  return ({ model, body, contentType }) => {
    const fields = new FieldReader(parseObject(body, contentType));
    const asked = fields.requiredText("model");
    fields.check();
    if (asked !== "" && asked !== modelIdOf(model)) throw failure(404, `model '${asked}' not found`);
    const answer: Answer = json(200, {
      modelfile: model.name,
      template: "{{ content }}",
      details: { family: model.engine.type },
      model_info: { vocabulary_size: generator.vocabularySize },
      capabilities: ["completion", "chat", "create_embeddings"],
    });
    return { texts: [], answer: async () => answer };
  };
}

const embed: WorkRoute = ({ model, body, contentType }) => {
  const fields = new FieldReader(parseObject(body, contentType));
  fields.requiredText("model");
  const texts = fields.requiredTexts("input");
  fields.check();
  if (texts.some(({ length }) => length > longestInput)) {
    throw failure(400, `Give texts of at most ${longestInput} characters.`);
  }
  return {
    texts,
    answer: async (signal) => {
      const begunAt = performance.now();
      const { vectors } = await model.embedder.embed(texts, signal);
      const total_duration = nanosecondsSince(begunAt);
      return json(200, { model: modelIdOf(model), embeddings: vectors, total_duration });
    },
  };
};

function nanosecondsSince(begunAt: number): number {
  return Math.round((performance.now() - begunAt) * nanosecondsInMs);
}

function failure(status: number, sentence: string): Refusal {
  return new Refusal(json(status, { error: sentence }));
}
