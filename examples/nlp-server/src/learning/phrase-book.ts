import type { Span } from "../nlp/labels.ts";
import type { Token } from "./tokens.ts";

/** What annotators said most often of a phrase that is no entity. */
const none = "";

/** Phrases and the label that annotators gave them most often. */
export class PhraseBook {
  readonly #votes = new Map<string, Map<string, number>>();
  /** Phrases by their first word, so that a text is gone through once. */
  readonly #byFirstWord = new Map<string, string[]>();

  constructor(other?: PhraseBook) {
    for (const [phrase, votes] of other ? other.#votes : []) this.#votes.set(phrase, new Map(votes));
    for (const [word, phrases] of other ? other.#byFirstWord : []) this.#byFirstWord.set(word, [...phrases]);
  }

  /** How many phrases have a label. */
  get size(): number {
    return [...this.#votes.keys()].filter((phrase) => this.#labelOf(phrase) !== none).length;
  }

  get isEmpty(): boolean {
    return this.#votes.size === 0;
  }

  /** Without a label the phrase was refused by an annotator. */
  vote(phrase: string, label: string = none): void {
    const key = phrase.trim();
    const first = firstWordOf(key);
    if (first === "") return;
    const votes = this.#votes.get(key) ?? new Map<string, number>();
    if (votes.size === 0) this.#byFirstWord.set(first, [...(this.#byFirstWord.get(first) ?? []), key]);
    votes.set(label, (votes.get(label) ?? 0) + 1);
    this.#votes.set(key, votes);
  }

  refuses(phrase: string): boolean {
    return this.#labelOf(phrase.trim()) === none;
  }

  *find(text: string, tokens: readonly Token[]): Generator<Span> {
    for (const { start, text: word } of tokens) {
      for (const phrase of this.#byFirstWord.get(word.toLowerCase()) ?? []) {
        const end = start + phrase.length;
        const label = this.#labelOf(phrase);
        if (label === none || label === undefined || !isSame(phrase, text.slice(start, end))) continue;
        if (!/[\p{L}\p{M}\p{N}]{2}/u.test(text.slice(end - 1, end + 1))) yield { start, end, label };
      }
    }
  }

  toJSON(): Record<string, string> {
    const labels = [...this.#votes.keys()].map((phrase) => [phrase, this.#labelOf(phrase) ?? none] as const);
    return Object.fromEntries(labels);
  }

  #labelOf(phrase: string): string | undefined {
    const votes = this.#votes.get(phrase);
    return votes && [...votes].reduce((best, each) => (each[1] > best[1] ? each : best))[0];
  }
}

function firstWordOf(phrase: string): string {
  return (/^(?:[\p{L}\p{M}\p{N}]+|.)/u.exec(phrase)?.[0] ?? "").toLowerCase();
}

/** A phrase in lower case is also found at the head of a sentence; `Will` is not found in `will`. */
function isSame(phrase: string, found: string): boolean {
  return phrase === found || (phrase === phrase.toLowerCase() && phrase === found.toLowerCase());
}
