import type { LabelId, Span } from "./labels.ts";
import { commonWords } from "./word-lists.ts";

const month = "(?:January|February|March|April|May|June|July|August|September|October|November|December)";

/**
 * Patterns for what the two models miss: clock times, amounts with a currency in front or behind, telephone numbers,
 * addresses of unknown top level domains, names behind a title and names of institutions.
 */
const patterns: readonly (readonly [LabelId, RegExp])[] = [
  ["EMAIL", /(?<![\p{L}\p{N}._%+-])[\p{L}\p{N}._%+-]{1,64}@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+/gu],
  ["URL", /(?:https?:\/\/|www\.)[^\s<>"]+/giu],
  ["TIME", /(?<![\d:.])(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?(?:\s?[ap]\.?m\b)?(?![\d:])/giu],
  ["DATE", /(?<![\d.-])\d{4}-\d{2}-\d{2}(?![\d-])/gu],
  ["DATE", /(?:(?:last|next|this) )?\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b/gu],
  ["DATE", new RegExp(`(?<![\\d.,/-])\\d{1,2}(?:st|nd|rd|th)?(?: of)? ${month}(?:,? \\d{4})?(?!\\d)`, "gu")],
  ["MONEY", /[£€$¥]\s?\d+(?:[.,]\d+)*(?:\s?(?:k|m|million|thousand)\b)?/giu],
  ["MONEY", /(?:EUR|GBP|USD|CHF)\s?\d+(?:[.,]\d+)*/gu],
  ["MONEY", /(?<![\d.,])\d+(?:[.,]\d+)*\s?(?:£|€|(?:EUR|GBP|USD|CHF|euros?|pounds sterling|dollars)\b)/giu],
  ["PHONE", /(?<![\d+])\+\d{1,3}(?:[ ./()-]{0,2}\d){6,12}(?!\d)/gu],
  ["PHONE", /(?<![\d+])\(\d{3,5}\)[ -]?\d{3,4}(?:[ -]?\d{2,4}){1,2}(?!\d)/gu],
  ["PHONE", /(?<![\d+.,/-])0\d{2,4}[ -]\d{3,8}(?:[ -]\d{2,5})?(?![\d.,/-]\d)/gu],
  ["PHONE", /(?<![\d+.,/-])\d{3}-\d{3}-\d{4}(?![\d-])/gu],
];

const word = "\\p{Lu}[\\p{L}\\p{M}]*(?:['’-]\\p{L}[\\p{L}\\p{M}]*)*";
const particle = "(?:van|von|de|der|den|del|da|di|dos|la|le|al|el|bin|ten|ter|zu)";
const gap = "[ \\u00a0]";

const titledName = new RegExp(
  `(?<![\\p{L}\\p{N}])(?:Dr|Mr|Mrs|Ms|Miss|Mx|Prof|Professor|Nurse|Sister|Herr|Frau|Rev)\\.?` +
    `(?:${gap}(?:Dr|med)\\.)*(?:${gap}\\p{Lu}\\.)*(?:${gap}${particle})*${gap}${word}` +
    `(?:(?:${gap}${particle})*${gap}${word}){0,2}`,
  "gu",
);

const institution = new RegExp(
  `(?<![\\p{L}\\p{N}])(?:(?:St|St\\.|Saint)${gap})?(?:${word}${gap}(?:(?:and|&)${gap})?){1,5}?` +
    `(?:Hospital|Infirmary|Clinic|Surgery|Hospice|University|Pharmacy|Laboratories|Laboratory|Ltd|Limited|GmbH|` +
    `Inc|Foundation|Medical${gap}(?:Centre|Center|Practice)|Health${gap}(?:Centre|Center|Trust)|` +
    `(?:Care|Nursing)${gap}Home|NHS${gap}(?:Foundation${gap})?Trust)(?![\\p{L}\\p{N}])`,
  "gu",
);

const ofInstitution = new RegExp(
  `(?<![\\p{L}\\p{N}])(?:University|Royal${gap}College|Klinikum|Universitätsklinikum)${gap}` +
    `(?:(?:Hospital|Hospitals)${gap})?(?:of${gap})?${word}`,
  "gu",
);

/** Finds what the patterns describe; `text` is one block of a note. */
export function findPatterns(text: string): Span[] {
  const spans: Span[] = [];
  for (const [label, pattern] of patterns) {
    for (const match of text.matchAll(pattern)) spans.push(spanOf(match, label));
  }
  for (const match of text.matchAll(titledName)) {
    const span = withoutCommonTail(text, spanOf(match, "PERSON"));
    if (span) spans.push(span);
  }
  for (const pattern of [institution, ofInstitution]) {
    for (const match of text.matchAll(pattern)) {
      const span = withoutCommonHead(text, spanOf(match, "ORGANISATION"));
      if (span) spans.push(span);
    }
  }
  return spans;
}

function spanOf(match: RegExpExecArray, label: LabelId): Span {
  return { start: match.index, end: match.index + match[0].length, label };
}

/** "Dr Okafor Reviewed" becomes "Dr Okafor"; a title that is left alone is no name. */
function withoutCommonTail(text: string, span: Span): Span | undefined {
  const words = text.slice(span.start, span.end).split(/[ \u00a0]/);
  while (words.length > 1 && commonWords.has(words.at(-1) ?? "")) words.pop();
  if (words.length < 2) return undefined;
  return { ...span, end: span.start + words.join(" ").length };
}

/** "The Northfield Hospital" becomes "Northfield Hospital"; a lone "Hospital" is no name. */
function withoutCommonHead(text: string, span: Span): Span | undefined {
  const words = text.slice(span.start, span.end).split(/[ \u00a0]/);
  let start = span.start;
  while (words.length > 1 && commonWords.has(words[0] ?? "")) start += (words.shift() ?? "").length + 1;
  if (words.length < 2) return undefined;
  return { ...span, start };
}

const pairs: ReadonlyMap<string, string> = new Map([
  [")", "("],
  ["]", "["],
]);

/** Takes off punctuation that belongs to the sentence: "https://a.example/b)." ends before the bracket. */
export function withoutTrailingPunctuation(text: string, span: Span): Span {
  let { end } = span;
  for (; end > span.start + 1; end -= 1) {
    const last = text[end - 1] ?? "";
    const open = pairs.get(last);
    if (open) {
      if (text.slice(span.start, end).includes(open)) break;
    } else if (!/[.,;:!?'"’”>]/.test(last)) break;
  }
  return { ...span, end };
}
