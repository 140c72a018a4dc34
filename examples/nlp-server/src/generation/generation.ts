import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import type { NgramModel } from "./ngram-model.ts";
import { pick, type Sampling } from "./pick.ts";
import { randomFrom } from "./random.ts";
import { SentenceFilter, StopFilter } from "./stop-filter.ts";
import { tokensIn } from "./tokens.ts";

export interface GenerationRequest extends Sampling {
  prompt: string;
  maxTokens: number;
  /** Sequences before which the text ends. */
  stop: readonly string[];
  /** The same request with the same seed gives the same text. Default: the server's. */
  seed?: number | undefined;
  /** Goes on to `maxTokens`, text after text. */
  ignoresEnd?: boolean;
  fullSentences?: boolean;
  /** Whether it answers the prompt, and does not go on from its last character. */
  isReply?: boolean;
}

/** What is known of a generation when it is over. */
export interface GenerationResult {
  promptTokens: number;
  completionTokens: number;
  /** From the beginning to the first token. */
  ttftMs: number;
  /** On average for each token after the first. */
  tpotMs: number;
  finishReason: "stop" | "length";
}

/** How many tokens are made before others get their turn. */
const tokensPerTurn = 64;

/** The model as the routes use it. */
export class Generator {
  readonly #model: NgramModel;
  readonly #tokenMs: number;
  readonly #seed: number;

  /** Each token takes at least `tokenMs`. */
  constructor(model: NgramModel, { tokenMs, seed }: { tokenMs: number; seed: number }) {
    this.#model = model;
    this.#tokenMs = tokenMs;
    this.#seed = seed;
  }

  get vocabularySize(): number {
    return this.#model.size;
  }

  begin(request: GenerationRequest, signal: AbortSignal): Generation {
    const random = randomFrom(request.seed ?? this.#seed);
    return new Generation(this.#model, request, { random, tokenMs: this.#tokenMs, signal });
  }
}

interface Conditions {
  random: () => number;
  tokenMs: number;
  signal: AbortSignal;
}

/** One text being made. Read `pieces` to its end; then there is a `result`. */
export class Generation {
  readonly #model: NgramModel;
  readonly #request: GenerationRequest;
  readonly #conditions: Conditions;
  #result: GenerationResult | undefined;

  constructor(model: NgramModel, request: GenerationRequest, conditions: Conditions) {
    this.#model = model;
    this.#request = request;
    this.#conditions = conditions;
  }

  get result(): GenerationResult {
    if (!this.#result) throw new Error("The text is not at its end; read its pieces first.");
    return this.#result;
  }

  async text(): Promise<string> {
    let whole = "";
    for await (const piece of this.pieces()) whole += piece;
    return whole;
  }

  async *pieces(): AsyncGenerator<string> {
    const { prompt, stop, fullSentences } = this.#request;
    const begunAt = performance.now();
    const stops = new StopFilter(stop);
    const sentences = fullSentences ? new SentenceFilter() : undefined;
    let firstAt = begunAt;
    let completionTokens = 0;
    let finishReason: "stop" | "length" = "length";
    for await (const token of this.#tokens()) {
      if (token === undefined) {
        finishReason = "stop";
        break;
      }
      completionTokens += 1;
      if (completionTokens === 1) firstAt = performance.now();
      const piece = stops.push(token);
      const sent = sentences ? sentences.push(piece) : piece;
      if (sent !== "") yield sent;
      if (stops.hasStopped) {
        finishReason = "stop";
        break;
      }
    }
    const held = stops.end();
    const rest = sentences ? sentences.push(held) + sentences.end() : held;
    if (rest !== "") yield rest;
    const between = Math.max(1, completionTokens - 1);
    this.#result = {
      promptTokens: tokensIn(prompt).length,
      completionTokens,
      ttftMs: Math.round(firstAt - begunAt),
      tpotMs: Math.round((performance.now() - firstAt) / between),
      finishReason,
    };
  }

  /** Undefined where the text ends by itself. */
  async *#tokens(): AsyncGenerator<string | undefined> {
    const { prompt, maxTokens, ignoresEnd, isReply } = this.#request;
    const { random, tokenMs, signal } = this.#conditions;
    let context = this.#model.contextOf(prompt);
    for (let count = 0; count < maxTokens; count += 1) {
      if (tokenMs > 0) await sleep(tokenMs, undefined, { signal });
      else if (count % tokensPerTurn === tokensPerTurn - 1) await turn();
      signal.throwIfAborted();
      const drawn = pick(this.#candidates(context, count === 0), this.#request, random);
      // After the end of a text another may begin, on a line of its own.
      const token = drawn?.token ?? (ignoresEnd ? "\n" : undefined);
      if (token === undefined) {
        yield undefined;
        return;
      }
      context = drawn?.token === undefined ? [] : [...context.slice(-2), token];
      yield count === 0 && isReply ? token.trimStart() : token;
    }
  }

  /** An answer has at least one token. */
  #candidates(context: readonly string[], isFirst: boolean): ReturnType<NgramModel["next"]> {
    const candidates = this.#model.next(context);
    if (!isFirst) return candidates;
    const words = candidates.filter(({ token }) => token !== undefined && token.trim() !== "");
    return words.length > 0 ? words : this.#model.next([]);
  }
}
