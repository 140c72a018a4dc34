import type { Generation, GenerationResult, Generator } from "../generation/generation.ts";
import { type Answer, eventStreamType, text } from "../http/answer.ts";
import { parseText } from "../http/parse.ts";
import { QueryReader } from "../http/query.ts";
import { requestInQuery } from "./generation-request.ts";
import type { Model, WorkRequest, WorkRoute } from "./model.ts";

const noPrompt = "ERROR: No prompt text provided\n";

/** What both routes of CMS read of a request. */
function readPrompt({ body, contentType, query }: WorkRequest) {
  const reader = new QueryReader(query);
  const headers = { "x-cms-tracking-id": reader.trackingId() };
  const request = requestInQuery(reader, parseText(body, contentType));
  const wantsUsage = reader.flag("include_usage");
  reader.check();
  return { request, headers, wantsUsage };
}

/** `/generate` of CMS: a text goes in, and the text that follows comes out whole. */
export function generateRoute(generator: Generator): WorkRoute {
  return (work) => {
    const { model, route } = work;
    const { request, headers, wantsUsage } = readPrompt(work);
    return {
      texts: [request.prompt],
      answer: async (signal) => {
        if (request.prompt === "") return { ...text(400, noPrompt), headers };
        const generation = generator.begin(request, signal);
        const generated = await generation.text();
        const { result } = generation;
        model.metrics.generated(route, result);
        return { ...text(200, generated), headers: { ...headers, ...(wantsUsage && usageHeaders(result)) } };
      },
    };
  };
}

/** `/stream/generate` of CMS: the same, token by token, and at the end what was used, as text. */
export function generateStreamRoute(generator: Generator): WorkRoute {
  return (work) => {
    const { model, route } = work;
    const { request, headers, wantsUsage } = readPrompt(work);
    return {
      texts: [request.prompt],
      answer: async (signal) => {
        if (request.prompt === "") return { ...eventStream(noPrompt), status: 400, headers };
        const generation = generator.begin(request, signal);
        return { ...eventStream(plainPieces(model, route, generation, wantsUsage)), headers };
      },
    };
  };
}

/** `/generate` of the vLLM form: always a stream, told only `max_tokens`. */
export function generateVllmRoute(generator: Generator): WorkRoute {
  return ({ model, route, body, contentType, query }) => {
    const reader = new QueryReader(query);
    const request = requestInQuery(reader, parseText(body, contentType));
    reader.check();
    return {
      texts: [request.prompt],
      answer: async (signal) => {
        return eventStream(plainPieces(model, route, generator.begin(request, signal), false));
      },
    };
  };
}

async function* plainPieces(
  model: Model,
  route: string,
  generation: Generation,
  wantsUsage: boolean,
): AsyncGenerator<string> {
  yield* generation.pieces();
  const { result } = generation;
  model.metrics.generated(route, result);
  if (wantsUsage) yield usageTrailer(result);
}

export function eventStream(body: Answer["body"]): Answer {
  return { status: 200, contentType: eventStreamType, body };
}

function usageHeaders({ promptTokens, completionTokens, tpotMs }: GenerationResult): Record<string, string> {
  return {
    "x-cms-gen-prompt-token-num": String(promptTokens),
    "x-cms-gen-completion-token-num": String(completionTokens),
    "x-cms-gen-total-token-num": String(promptTokens + completionTokens),
    "x-cms-gen-tpot-ms": String(tpotMs),
  };
}

function usageTrailer({ promptTokens, completionTokens, ttftMs, tpotMs }: GenerationResult): string {
  const parts = [
    `Prompt tokens: ${promptTokens}`,
    `Completion tokens: ${completionTokens}`,
    `Total tokens: ${promptTokens + completionTokens}`,
    `TTFT in milliseconds: ${ttftMs}`,
    `TPOT in milliseconds: ${tpotMs}`,
  ];
  return `\n\n<cms_token_usage>${parts.join("; ")}</cms_token_usage>`;
}
