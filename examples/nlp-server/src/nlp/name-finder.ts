import nlp from "compromise/two";
import type { LabelId, Span } from "./labels.ts";
import { commonWords, eponymTails, nameAbbreviations, notNames, titles } from "./word-lists.ts";

interface Term {
  text: string;
  start: number;
  end: number;
  tags: ReadonlySet<string>;
  /** What stands between this term and the next. */
  gap: string;
}

interface Run {
  terms: Term[];
  label: LabelId;
  next: Term | undefined;
}

const tagged: readonly (readonly [string, LabelId])[] = [
  ["Person", "PERSON"],
  ["Organization", "ORGANISATION"],
  ["Place", "PLACE"],
];

const locative: ReadonlySet<string> = new Set(["in", "from", "near"]);

const titleCase = /^\p{Lu}[\p{L}\p{M}'’.]*\p{Ll}/u;
const wordOfText = /\p{Lu}[\p{L}\p{M}'’.]*/gu;

/**
 * Whether a stretch has a word that could be (part of) a name. Every name that `findNames` reports has such a word, so
 * a stretch without one needs no reading: the answer is the same, and about a third of the lines is saved.
 */
export function mayHoldName(text: string): boolean {
  for (const [word] of text.matchAll(wordOfText)) {
    if (isNameLike(word)) return true;
  }
  return false;
}

function isNameLike(word: string): boolean {
  if (nameAbbreviations.has(word)) return true;
  return titleCase.test(word) && !commonWords.has(word) && !titles.has(word.replace(/\.$/, ""));
}

/** Finds people, places and organisations with compromise. `text` is a sentence or a line of one. */
export function findNames(text: string): Span[] {
  const spans: Span[] = [];
  for (const sentence of termsOf(text)) {
    for (const run of runsOf(sentence)) {
      const span = spanOf(run);
      if (span) spans.push(span);
    }
  }
  return spans;
}

function* termsOf(text: string): Generator<Term[]> {
  let cursor = 0;
  for (const sentence of nlp(text).docs) {
    const terms: Term[] = [];
    for (const { text: word, post, tags } of sentence) {
      // Contractions are followed by an empty term for their second half.
      if (word === "") continue;
      const start = text.indexOf(word, cursor);
      if (start === -1) continue;
      cursor = start + word.length;
      terms.push({ text: word, start, end: cursor, tags: tags ?? new Set(), gap: post });
    }
    yield terms;
  }
}

function* runsOf(terms: readonly Term[]): Generator<Run> {
  let index = 0;
  while (index < terms.length) {
    const first = index;
    const label = labelAt(terms, first);
    if (!label) {
      index += 1;
      continue;
    }
    do index += 1;
    while (isContinuation(terms, index, label));
    const run = terms.slice(givenNameBefore(terms, first, label) ? first - 1 : first, index);
    yield { terms: run, label, next: /^[ \u00a0]$/.test(run.at(-1)?.gap ?? "") ? terms[index] : undefined };
  }
}

function labelAt(terms: readonly Term[], index: number): LabelId | undefined {
  const term = terms[index];
  if (!term) return undefined;
  const label = tagged.find(([tag]) => term.tags.has(tag))?.[1];
  const before = terms[index - 1];
  if (before?.gap !== " " || !isNameLike(term.text)) return label;
  const preposition = before.text.toLowerCase();
  // "seen in Bradford": a lone name behind "in" is a town, although people are called Bradford too.
  if (label === "PERSON") {
    return locative.has(preposition) && !isContinuation(terms, index + 1, label) ? "PLACE" : label;
  }
  if (label || !term.tags.has("ProperNoun") || term.tags.has("Date")) return label;
  if (preposition === "in" || preposition === "near") return "PLACE";
  // "moved from Köln" and "Mr Schäfer from Köln", but not "relief from Calpol".
  const origin = terms[index - 2]?.tags;
  const fromSomewhere = preposition === "from" && (origin?.has("Verb") || origin?.has("Person"));
  return fromSomewhere ? "PLACE" : undefined;
}

/** A name goes on with a term of the same kind, or with any capitalised word that is not known to be another thing. */
function isContinuation(terms: readonly Term[], index: number, label: LabelId): boolean {
  const last = terms[index - 1];
  const term = terms[index];
  if (!last || !term || !joins(last)) return false;
  const [tag] = tagged.find(([, each]) => each === label) ?? [];
  if (tag && term.tags.has(tag)) return true;
  return term.tags.has("ProperNoun") && isNameLike(term.text) && !notNames.has(term.text);
}

/** compromise knows more family names than given names: in "Gurpreet Singh" it sees "Singh" alone. */
function givenNameBefore(terms: readonly Term[], index: number, label: LabelId): boolean {
  const before = terms[index - 1];
  if (label !== "PERSON" || before?.gap !== " " || !terms[index]?.tags.has("LastName")) return false;
  return before.tags.has("Noun") && isNameLike(before.text) && !notNames.has(before.text);
}

/** A name goes on over a space or a hyphen, and over a full stop only after a title or an initial. */
function joins(term: Term): boolean {
  if (/^[ \u00a0-]$/.test(term.gap)) return true;
  return /^\.[ \u00a0]?$/.test(term.gap) && (term.text.length === 1 || titles.has(term.text));
}

function spanOf({ terms, label, next }: Run): Span | undefined {
  const name = [...terms];
  while (name[0] && commonWords.has(name[0].text) && !titles.has(name[0].text)) name.shift();
  while (commonWords.has(name.at(-1)?.text ?? "")) name.pop();
  const first = name[0];
  const last = name.at(-1);
  if (!first || !last) return undefined;
  if (!name.some((term) => isNameLike(term.text))) return undefined;
  if (name.some((term) => notNames.has(withoutGenitive(term.text)))) return undefined;
  if (next && eponymTails.has(next.text.toLowerCase())) return undefined;
  if (name.some((term) => eponymTails.has(term.text.toLowerCase()))) return undefined;
  return { start: first.start, end: last.start + withoutGenitive(last.text).length, label };
}

function withoutGenitive(word: string): string {
  return word.replace(/['’]s?$/, "");
}
