import { setImmediate as nextRound } from "node:timers/promises";
import type { Engine } from "../engine.ts";
import { blocksOf } from "../nlp/blocks.ts";
import type { Span } from "../nlp/labels.ts";
import { resolveOverlaps } from "../nlp/overlap.ts";
import { MetaBook } from "./meta-book.ts";
import { NameBook } from "./name-book.ts";
import { PhraseBook } from "./phrase-book.ts";
import { Tagger } from "./tagger.ts";
import { type Token, tokensOf } from "./tokens.ts";

/** All that trainings have taught the model. Each training replaces the parts that it is about. */
export interface Learned {
  phrases: PhraseBook;
  tagger: Tagger;
  names: NameBook;
  meta: MetaBook;
}

/** An engine and what it has learned on top. Before any training it finds exactly what the engine finds. */
export class LearningEngine implements Engine {
  readonly type: string;
  readonly #base: Engine;
  #learned: Learned;

  constructor(base: Engine, learned?: Learned) {
    this.type = base.type;
    this.#base = base;
    this.#learned = learned ?? {
      phrases: new PhraseBook(),
      tagger: new Tagger(),
      names: new NameBook(),
      meta: new MetaBook(),
    };
  }

  get learned(): Readonly<Learned> {
    return this.#learned;
  }

  /** Another engine that has learned these parts as well. */
  with(parts: Partial<Learned>): LearningEngine {
    return new LearningEngine(this.#base, { ...this.#learned, ...parts });
  }

  /** From the next text on, these parts are used. */
  adopt(parts: Partial<Learned>): void {
    this.#learned = { ...this.#learned, ...parts };
  }

  async find(text: string, signal: AbortSignal): Promise<Span[]> {
    const learned = this.#learned;
    const found = await this.#base.find(text, signal);
    const { phrases, tagger, names, meta } = learned;
    const findsMore = !phrases.isEmpty || !tagger.isEmpty || names.labels.size > 0;
    if (!findsMore && meta.names.length === 0) return found;
    const { strong, weak, tokens } = await this.#read(text, learned, signal);
    const others = [...found, ...weak].filter(({ start, end }) => !phrases.refuses(text.slice(start, end)));
    // What annotators named is not given up for something else of the same length.
    const kept = others.filter(
      (span) => !strong.some((each) => overlap(each, span) && lengthOf(each) >= lengthOf(span)),
    );
    const spans = findsMore ? resolveOverlaps([...strong, ...kept]) : found;
    if (meta.names.length === 0) return spans;
    return spans.map((span) => ({ ...span, meta: meta.annotate(tokens, span) }));
  }

  async #read(
    text: string,
    { phrases, tagger, names }: Learned,
    signal: AbortSignal,
  ): Promise<{ strong: Span[]; weak: Span[]; tokens: Token[] }> {
    const strong: Span[] = [];
    const weak: Span[] = [];
    const all: Token[] = [];
    for (const { start, end } of blocksOf(text)) {
      const block = text.slice(start, end);
      const tokens = tokensOf(block);
      const moved = <T extends { start: number; end: number }>(each: T): T => ({
        ...each,
        start: each.start + start,
        end: each.end + start,
      });
      for (const span of phrases.find(block, tokens)) strong.push(moved(span));
      for (const span of [...tagger.find(tokens), ...names.find(tokens)]) weak.push(moved(span));
      for (const token of tokens) all.push(moved(token));
      if (end < text.length) await nextRound();
      signal.throwIfAborted();
    }
    return { strong, weak, tokens: all };
  }
}

function overlap(a: Span, b: Span): boolean {
  return a.start < b.end && b.start < a.end;
}

function lengthOf({ start, end }: Span): number {
  return end - start;
}
