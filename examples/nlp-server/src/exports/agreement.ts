import { message, Refusal } from "../http/answer.ts";
import { byCodePoint, Float, toCsv } from "./csv.ts";
import {
  annotationsOf,
  type Document,
  type ExportedAnnotation,
  type Id,
  isTruthy,
  type Project,
  pythonText,
  type TrainerExport,
} from "./trainer-export.ts";

/** How finely the agreement of two annotators is told. */
const scopes = ["per_concept", "per_document", "per_span"] as const;
export type Scope = (typeof scopes)[number];

/** What one annotator said of a span. */
interface Mark {
  document: Id;
  start: number;
  end: number;
  cui: string;
  /** The decision, one text for each of its parts; the concept is the last. */
  decision: string[];
  /** The meta annotations, one text each. */
  meta: string[];
}

/** A span that at least one of two annotators marked. */
interface Span {
  a: Mark | undefined;
  b: Mark | undefined;
}

const decisionKeys = ["validated", "correct", "deleted", "alternative", "killed", "manually_created", "cui"];
const absent = "an annotation that is not there";
const noMeta = "no meta annotations";

const scoreHeader = ["iaa_percentage", "cohens_kappa", "iaa_percentage_meta", "cohens_kappa_meta"];

export function isScope(value: string): value is Scope {
  return scopes.some((scope) => scope === value);
}

/** The answer of `/iaa-scores`: how far two projects agree on the documents that both have. */
export function agreementToCsv({ projects }: TrainerExport, a: number, b: number, scope: Scope): string {
  const spans = spansOf(find(projects, a), find(projects, b));
  switch (scope) {
    case "per_concept":
      return groupsToCsv("concept", groupBy(spans, conceptsOf), (mark) => mark.decision.slice(0, -1));
    case "per_document":
      return groupsToCsv("doc_id", groupBy(spans, documentOf), (mark) => mark.decision);
    case "per_span":
      return toCsv(["doc_id", "span_start", "span_end", ...scoreHeader], spans.map(spanRow));
  }
}

function find(projects: readonly Project[], id: number): Project {
  const project = projects.find((each) => each.id === id);
  if (!project) throw new Refusal(message(400, `Cannot find the project with ID: ${id}`));
  return project;
}

function spansOf(a: Project, b: Project): Span[] {
  const spans = new Map<string, Span>();
  for (const [key, mark] of marksOf(a, b)) spans.set(key, { a: mark, b: undefined });
  for (const [key, mark] of marksOf(b, a)) spans.set(key, { a: spans.get(key)?.a, b: mark });
  return [...spans.values()].sort((left, right) => {
    const [one, other] = [left.a ?? left.b, right.a ?? right.b];
    if (!one || !other) return 0;
    return compareIds(one.document, other.document) || one.start - other.start || one.end - other.end;
  });
}

function compareIds(a: Id, b: Id): number {
  return typeof a === "number" && typeof b === "number" ? a - b : byCodePoint(String(a), String(b));
}

/** What a project says of the documents that the other has too. Of two annotations of one span the last counts. */
function marksOf(project: Project, other: Project): Map<string, Mark> {
  const common = new Set(other.documents.map(({ id }) => id));
  const marks = new Map<string, Mark>();
  for (const document of project.documents) {
    if (!common.has(document.id)) continue;
    for (const annotation of annotationsOf(document)) {
      const { start, end } = annotation;
      marks.set(JSON.stringify([document.id, start, end]), markOf(document, annotation));
    }
  }
  return marks;
}

function markOf({ id }: Document, annotation: ExportedAnnotation): Mark {
  const { start, end, cui, meta_anns: meta } = annotation;
  const decision = decisionKeys.map((key) => pythonText(annotation[key]));
  return { document: id, start, end, cui, decision, meta: metaOf(meta) };
}

function metaOf(meta: unknown): string[] {
  if (!isTruthy(meta)) return [noMeta];
  return Object.entries(meta as object).map(([name, value]) => JSON.stringify([name, value]));
}

function conceptsOf({ a, b }: Span): string[] {
  return [...new Set([a, b].flatMap((mark) => (mark ? [mark.cui] : [])))];
}

function documentOf({ a, b }: Span): string[] {
  const mark = a ?? b;
  return mark ? [String(mark.document)] : [];
}

function groupBy(spans: readonly Span[], keysOf: (span: Span) => string[]): [string, Span[]][] {
  const groups = new Map<string, Span[]>();
  for (const span of spans) {
    for (const key of keysOf(span)) {
      const group = groups.get(key);
      if (group) group.push(span);
      else groups.set(key, [span]);
    }
  }
  return [...groups].sort(([a], [b]) => byCodePoint(a, b));
}

function groupsToCsv(
  column: string,
  groups: readonly [string, Span[]][],
  decisionOf: (mark: Mark) => string[],
): string {
  const join = (mark: Mark | undefined): string => (mark ? JSON.stringify(decisionOf(mark)) : absent);
  const joinMeta = (mark: Mark | undefined): string =>
    JSON.stringify(mark?.meta.toSorted(byCodePoint) ?? [noMeta]);
  return toCsv(
    [column, ...scoreHeader],
    groups.map(([key, spans]) => [
      key,
      ...scores(
        spans.map(({ a }) => join(a)),
        spans.map(({ b }) => join(b)),
      ),
      ...scores(
        spans.map(({ a }) => joinMeta(a)),
        spans.map(({ b }) => joinMeta(b)),
      ),
    ]),
  );
}

/** Of one span, the parts of the two decisions are compared with each other, and so are the meta annotations. */
function spanRow({ a, b }: Span): (string | number | Float)[] {
  const mark = a ?? b;
  if (!mark) return [];
  const none = decisionKeys.map(() => absent);
  const length = Math.max(a?.meta.length ?? 0, b?.meta.length ?? 0);
  const pad = (meta: readonly string[] = []): string[] =>
    Array.from({ length }, (_, index) => meta[index] ?? absent);
  return [
    mark.document,
    mark.start,
    mark.end,
    ...scores(a?.decision ?? none, b?.decision ?? none),
    ...scores(pad(a?.meta), pad(b?.meta)),
  ];
}

function scores(a: readonly string[], b: readonly string[]): [Float, Float] {
  const agreed = a.filter((label, index) => label === b[index]).length;
  return [new Float((agreed / a.length) * 100), new Float(cohensKappa(a, b))];
}

/** How much more often two annotators agree than by chance: 1 is always, 0 as often as by chance. */
export function cohensKappa(a: readonly string[], b: readonly string[]): number {
  const countsOfA = countsOf(a);
  const countsOfB = countsOf(b);
  if (new Set([...countsOfA.keys(), ...countsOfB.keys()]).size === 1) return 1;
  let byChance = 0;
  for (const [label, count] of countsOfA) byChance += count * (countsOfB.get(label) ?? 0);
  const disagreed = a.filter((label, index) => label !== b[index]).length;
  return 1 - (disagreed * a.length) / (a.length * a.length - byChance);
}

function countsOf(labels: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return counts;
}
