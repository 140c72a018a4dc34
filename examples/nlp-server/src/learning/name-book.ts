import type { Span } from "../nlp/labels.ts";
import { type Token, tokensOf } from "./tokens.ts";

/** Labels whose words can stand alone: a text that says `Dr Okafor` may go on with `Okafor`. */
const namedAlone: ReadonlySet<string> = new Set(["PERSON", "PLACE"]);
/** Words of names that are no names. */
const titles = /^(?:dr|mr|mrs|ms|miss|prof|professor|sir|dame|sister|nurse|st|saint|the|and|of|in|at)$/i;
/** How often a word has to be seen within a name, and in which share of its occurrences. */
const leastSeen = 2;
const leastShare = 0.3;

type Votes = Map<string, Map<string, number>>;

/**
 * Learns names from texts without annotations: words that the model found within names, so that it will know them on
 * their own, and abbreviations in parentheses behind what they stand for.
 */
export class NameBook {
  readonly #words: Votes;
  readonly #abbreviations: Votes;
  readonly #seen: Map<string, number>;
  #labels: ReadonlyMap<string, string> | undefined;

  constructor(other?: NameBook) {
    const copy = (votes: Votes): Votes => new Map([...votes].map(([name, each]) => [name, new Map(each)]));
    this.#words = other ? copy(other.#words) : new Map();
    this.#abbreviations = other ? copy(other.#abbreviations) : new Map();
    this.#seen = new Map(other ? other.#seen : []);
  }

  /** What was learned, and as what. */
  get labels(): ReadonlyMap<string, string> {
    this.#labels ??= new Map(this.#judged());
    return this.#labels;
  }

  get words(): number {
    return this.#seen.size;
  }

  knows(word: string): boolean {
    return this.#seen.has(word) || this.#seen.has(word.toLowerCase());
  }

  /** Takes in a text and what the model finds in it; gives the number of its words. */
  learn(text: string, spans: readonly Span[]): number {
    this.#labels = undefined;
    const words = tokensOf(text).filter((token) => /\p{L}/u.test(token.text));
    for (const word of words) {
      this.#seen.set(word.text, (this.#seen.get(word.text) ?? 0) + 1);
      const span = spans.find(({ start, end }) => word.start >= start && word.end <= end);
      if (span && namedAlone.has(span.label) && isName(word)) vote(this.#words, word.text, span.label);
    }
    for (const { groups, index, 0: match } of text.matchAll(/\((?<short>\p{Lu}[\p{Lu}\p{N}]{1,7})\)/gu)) {
      const short = groups?.["short"] ?? "";
      const long = spans.find(({ end }) => end <= index && text.slice(end, index).trim() === "");
      if (long && abbreviates(short, text.slice(long.start, long.end)) && match !== "") {
        vote(this.#abbreviations, short, long.label);
      }
    }
    return words.length;
  }

  *find(tokens: readonly Token[]): Generator<Span> {
    for (const { start, end, text } of tokens) {
      const label = this.labels.get(text);
      if (label !== undefined) yield { start, end, label };
    }
  }

  toJSON(): unknown {
    return Object.fromEntries(this.labels);
  }

  *#judged(): Generator<[string, string]> {
    for (const [word, labels] of this.#words) {
      const [label, votes] = strongest(labels);
      const seen = this.#seen.get(word) ?? 0;
      // A word that is also written small is a word, such as `will` and `joy`.
      const isWord = this.#seen.has(word.toLowerCase());
      if (votes >= leastSeen && votes >= seen * leastShare && !isWord) yield [word, label];
    }
    for (const [short, labels] of this.#abbreviations) yield [short, strongest(labels)[0]];
  }
}

function isName({ text }: Token): boolean {
  return text.length >= 3 && /^\p{Lu}\p{Ll}/u.test(text) && !titles.test(text);
}

/** Whether the letters of the short form are the first letters of words of the long one, in order. */
function abbreviates(short: string, long: string): boolean {
  const initials = long.split(/[\s\-/]+/).map((word) => word.charAt(0).toUpperCase());
  let at = 0;
  for (const initial of initials) if (initial === short[at]) at += 1;
  return at === short.length;
}

function vote(votes: Votes, name: string, label: string): void {
  const labels = votes.get(name) ?? new Map<string, number>();
  labels.set(label, (labels.get(label) ?? 0) + 1);
  votes.set(name, labels);
}

function strongest(labels: ReadonlyMap<string, number>): [string, number] {
  return [...labels].reduce((best, each) => (each[1] > best[1] ? each : best));
}
