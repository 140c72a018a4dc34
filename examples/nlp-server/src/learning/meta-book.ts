import type { MetaAnnotation, Span } from "../nlp/labels.ts";
import { Perceptron } from "./perceptron.ts";
import type { Token } from "./tokens.ts";

/** How many tokens to each side are looked at. */
const reach = 6;

/** One classifier for each kind of meta annotation, such as `Status` with `Affirmed` and `Other`. */
export class MetaBook {
  readonly #classifiers: Map<string, Perceptron>;

  constructor(other?: MetaBook) {
    this.#classifiers = new Map(
      [...(other ? other.#classifiers : [])].map(([name, each]) => [name, new Perceptron(each)]),
    );
  }

  get names(): string[] {
    return [...this.#classifiers.keys()];
  }

  learn(name: string, value: string, tokens: readonly Token[], span: Span, rate: number): void {
    const classifier = this.#classifiers.get(name) ?? new Perceptron();
    this.#classifiers.set(name, classifier);
    classifier.learn(featuresOf(tokens, span), value, rate);
  }

  annotate(tokens: readonly Token[], span: Span): Record<string, MetaAnnotation> {
    const features = featuresOf(tokens, span);
    const annotations: Record<string, MetaAnnotation> = {};
    for (const [name, classifier] of this.#classifiers) {
      const guess = classifier.guess(features);
      if (guess) annotations[name] = { value: guess.name, confidence: guess.share, name };
    }
    return annotations;
  }

  toJSON(): unknown {
    return Object.fromEntries(this.#classifiers);
  }
}

function featuresOf(tokens: readonly Token[], span: Span): string[] {
  const first = tokens.findIndex(({ end }) => end > span.start);
  const from = first === -1 ? tokens.length : first;
  let to = from;
  while (to < tokens.length && (tokens[to]?.start ?? 0) < span.end) to += 1;
  const words = (some: readonly Token[]): string[] => some.map(({ text }) => text.toLowerCase());
  const before = words(tokens.slice(Math.max(0, from - reach), from));
  const after = words(tokens.slice(to, to + reach));
  return [
    "any",
    `label ${span.label}`,
    ...before.map((word) => `before ${word}`),
    ...after.map((word) => `after ${word}`),
    `next before ${before.at(-1) ?? "|"}`,
    `next after ${after[0] ?? "|"}`,
  ];
}
