import type { Span } from "../nlp/labels.ts";
import { Perceptron } from "./perceptron.ts";
import { shapeOf, type Token } from "./tokens.ts";

/** The class of tokens that belong to no entity. */
const outside = "";
/** Below it a token is left alone: with few examples the tagger would see entities everywhere. */
const leastMargin = 0.5;

/** Learns from what stands around a word what it is, and so finds entities that nobody showed it. */
export class Tagger {
  readonly #perceptron: Perceptron;

  constructor(other?: Tagger) {
    this.#perceptron = new Perceptron(other ? other.#perceptron : undefined);
  }

  get isEmpty(): boolean {
    return this.#perceptron.classes.length === 0;
  }

  learn(tokens: readonly Token[], spans: readonly Span[], rate: number): void {
    let previous = outside;
    for (const [index, token] of tokens.entries()) {
      const span = spans.find(({ start, end }) => token.start >= start && token.end <= end);
      const label = span?.label ?? outside;
      this.#perceptron.learn(featuresOf(tokens, index, previous), label, rate);
      previous = label;
    }
  }

  find(tokens: readonly Token[]): Span[] {
    const spans: Span[] = [];
    let previous = outside;
    for (const [index, token] of tokens.entries()) {
      const guess = this.#perceptron.guess(featuresOf(tokens, index, previous));
      const isSure = guess !== undefined && guess.margin >= leastMargin;
      const label = isSure && /[\p{L}\p{N}]/u.test(token.text) ? guess.name : outside;
      const last = spans.at(-1);
      if (label !== outside && label === previous && last) last.end = token.end;
      else if (label !== outside) spans.push({ start: token.start, end: token.end, label });
      previous = label;
    }
    return spans;
  }

  toJSON(): unknown {
    return this.#perceptron;
  }
}

function featuresOf(tokens: readonly Token[], index: number, previousLabel: string): string[] {
  const word = (at: number): string => tokens[at]?.text.toLowerCase() ?? "|";
  const own = tokens[index]?.text ?? "";
  return [
    "any",
    `word ${word(index)}`,
    `shape ${shapeOf(own)}`,
    `ends ${own.slice(-3).toLowerCase()}`,
    `before ${word(index - 1)}`,
    `after ${word(index + 1)}`,
    `around ${word(index - 1)} ${word(index + 1)}`,
    `label ${previousLabel}`,
  ];
}
