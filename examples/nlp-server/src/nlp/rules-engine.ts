import { setImmediate as nextRound } from "node:timers/promises";
import type { Engine } from "../engine.ts";
import { blocksOf, linesOf } from "./blocks.ts";
import type { Span } from "./labels.ts";
import { findNames, mayHoldName } from "./name-finder.ts";
import { resolveOverlaps } from "./overlap.ts";
import { findPatterns, withoutTrailingPunctuation } from "./patterns.ts";
import { WinkReader } from "./wink-reader.ts";

/** The longest that the engine works before it lets others go on. */
const turnMs = 8;
const longestLine = 1_000;

/** The engine of the model: wink-nlp, compromise and a few patterns, merged by one rule. */
export class RulesEngine implements Engine {
  readonly type = "nlp_rules";
  readonly #reader = new WinkReader();
  #turnEnds = 0;
  #lastTurn: Promise<void> = Promise.resolve();

  async find(text: string, signal: AbortSignal): Promise<Span[]> {
    const spans: Span[] = [];
    for (const { start, end } of blocksOf(text)) {
      for (const span of this.#steps(text.slice(start, end))) {
        if (span) spans.push({ ...span, start: span.start + start, end: span.end + start });
        if (performance.now() >= this.#turnEnds) await this.#takeTurn(signal);
      }
    }
    return resolveOverlaps(spans);
  }

  /** All texts in work take turns, one in each round of the event loop, so that sockets are served in between. */
  async #takeTurn(signal: AbortSignal): Promise<void> {
    this.#lastTurn = this.#lastTurn.then(() => nextRound());
    await this.#lastTurn;
    signal.throwIfAborted();
    this.#turnEnds = performance.now() + turnMs;
  }

  /** Yields what is found in a block, and nothing where only time has passed. */
  *#steps(block: string): Generator<Span | undefined> {
    const { spans, sentences } = this.#reader.read(block);
    for (const span of spans) yield withoutTrailingPunctuation(block, span);
    yield;
    for (const span of findPatterns(block)) yield withoutTrailingPunctuation(block, span);
    yield;
    for (const sentence of sentences) {
      for (const line of linesOf(block, sentence, longestLine)) {
        const text = block.slice(line.start, line.end);
        if (!mayHoldName(text)) continue;
        for (const span of findNames(text)) {
          yield { ...span, start: span.start + line.start, end: span.end + line.start };
        }
        yield;
      }
    }
  }
}
