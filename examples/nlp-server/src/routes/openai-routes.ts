import type { Generation, GenerationRequest, GenerationResult, Generator } from "../generation/generation.ts";
import { type Answer, json, message, Refusal } from "../http/answer.ts";
import { FieldReader } from "../http/fields.ts";
import { parseObject } from "../http/parse.ts";
import { QueryReader } from "../http/query.ts";
import { eventStream } from "./generate-routes.ts";
import { requestInBody } from "./generation-request.ts";
import { messageIn, promptOf } from "./messages.ts";
import type { Model, Work, WorkRequest, WorkRoute } from "./model.ts";
import { modelIdOf } from "./model-list.ts";

export interface OpenaiForm {
  /** vLLM knows only its own model and always says what was used; CMS is the other way round. */
  isVllm: boolean;
}

/** How the answers of one route look. */
interface Shape {
  object: string;
  chunkObject: string;
  choice(text: string, finishReason: string): unknown;
  /** What a stream begins with, before the first token. */
  opening: unknown;
  piece(text: string): unknown;
  closing(finishReason: string): unknown;
}

const chatShape: Shape = {
  object: "chat.completion",
  chunkObject: "chat.completion.chunk",
  choice: (content, finish_reason) => ({ index: 0, message: { role: "assistant", content }, finish_reason }),
  opening: { index: 0, delta: { role: "assistant" }, finish_reason: null },
  piece: (content) => ({ index: 0, delta: { content }, finish_reason: null }),
  closing: (finish_reason) => ({ index: 0, delta: {}, finish_reason }),
};

const completionShape: Shape = {
  object: "text_completion",
  chunkObject: "text_completion",
  choice: (text, finish_reason) => ({ index: 0, text, logprobs: null, finish_reason }),
  opening: { index: 0, text: "", logprobs: null, finish_reason: null },
  piece: (text) => ({ index: 0, text, logprobs: null, finish_reason: null }),
  closing: (finish_reason) => ({ index: 0, text: "", logprobs: null, finish_reason }),
};

export function chatRoute(generator: Generator, form: OpenaiForm): WorkRoute {
  return (request) => {
    const { fields, query, headers } = read(request);
    const messages = fields.objects("messages").map(messageIn);
    const prompt = promptOf(messages);
    const isEmpty = messages.length === 0;
    const empty = isEmpty ? missingField("messages", "No prompt messages provided", headers) : undefined;
    return work(request, { generator, form, shape: chatShape, fields, query, headers, empty }, prompt, true);
  };
}

export function completionRoute(generator: Generator, form: OpenaiForm): WorkRoute {
  return (request) => {
    const { fields, query, headers } = read(request);
    const prompt = fields.requiredTexts("prompt").join("\n");
    const empty = prompt === "" ? missingField("prompt", "No prompt provided", headers) : undefined;
    const call = { generator, form, shape: completionShape, fields, query, headers, empty };
    return work(request, call, prompt, false);
  };
}

interface Call {
  generator: Generator;
  form: OpenaiForm;
  shape: Shape;
  fields: FieldReader;
  query: QueryReader;
  headers: Record<string, string>;
  empty: Refusal | undefined;
}

function read({ body, contentType, query }: WorkRequest): Pick<Call, "fields" | "query" | "headers"> {
  const reader = new QueryReader(query);
  const headers = { "x-cms-tracking-id": reader.trackingId() };
  return { fields: new FieldReader(parseObject(body, contentType)), query: reader, headers };
}

function work({ model, route }: WorkRequest, call: Call, prompt: string, isReply: boolean): Work {
  const { generator, form, shape, fields, query, headers, empty } = call;
  const asked = fields.requiredText("model");
  const isStream = fields.flag("stream");
  const wantsUsage = fields.object("stream_options").flag("include_usage");
  const format = fields.object("response_format").text("type");
  const request: GenerationRequest = {
    ...requestInBody(fields, query, form.isVllm ? 2 : 1),
    prompt,
    isReply,
  };
  fields.check();
  query.check();
  if (empty) throw empty;
  if (format !== undefined && format !== "text") {
    throw new Refusal(message(400, "This model cannot keep to a response_format; leave it out."));
  }
  if (form.isVllm && asked !== modelIdOf(model)) throw unknownModel(asked);
  return {
    texts: [prompt],
    answer: async (signal) => {
      const id = headers["x-cms-tracking-id"] ?? "";
      const head = { id, created: Math.floor(Date.now() / 1_000), model: model.name };
      const generation = generator.begin(request, signal);
      if (isStream) {
        const events = chunks({ model, route, shape, head, wantsUsage }, generation);
        return { ...eventStream(events), headers };
      }
      return whole({ model, route, shape, head, wantsUsage: wantsUsage || form.isVllm }, generation, headers);
    },
  };
}

interface Telling {
  model: Model;
  route: string;
  shape: Shape;
  head: { id: string; created: number; model: string };
  wantsUsage: boolean;
}

async function whole(
  { model, route, shape, head, wantsUsage }: Telling,
  generation: Generation,
  headers: Record<string, string>,
): Promise<Answer> {
  const text = await generation.text();
  const { result } = generation;
  model.metrics.generated(route, result);
  const choices = [shape.choice(text, result.finishReason)];
  const usage = wantsUsage ? usageOf(result) : null;
  return json(200, { ...head, object: shape.object, choices, usage }, headers);
}

async function* chunks(
  { model, route, shape, head, wantsUsage }: Telling,
  generation: Generation,
): AsyncGenerator<string> {
  const chunk = (choices: unknown[], more?: object): string =>
    `data: ${JSON.stringify({ ...head, object: shape.chunkObject, choices, ...more })}\n\n`;
  yield chunk([shape.opening]);
  for await (const piece of generation.pieces()) yield chunk([shape.piece(piece)]);
  const { result } = generation;
  model.metrics.generated(route, result);
  yield chunk([shape.closing(result.finishReason)]);
  if (wantsUsage) yield chunk([], { usage: usageOf(result) });
  yield "data: [DONE]\n\n";
}

function usageOf({ promptTokens, completionTokens }: GenerationResult): Record<string, number> {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}

function missingField(param: string, sentence: string, headers: Record<string, string>): Refusal {
  const error = { message: sentence, type: "invalid_request_error", param, code: "missing_field" };
  return new Refusal(json(400, { error }, headers));
}

function unknownModel(name: string): Refusal {
  const sentence = `The model \`${name}\` does not exist.`;
  return new Refusal(
    json(404, { error: { message: sentence, type: "NotFoundError", param: "model", code: 404 } }),
  );
}
