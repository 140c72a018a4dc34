import { message, Refusal } from "../http/answer.ts";
import type { FormFile } from "../http/form.ts";
import { brokenAt, decode } from "../http/parse.ts";

/**
 * What annotators made with MedCATtrainer. Only the ids are checked when an export is read; the rest is checked by
 * whoever needs it, so that exports can be joined which hold more or less than this server knows.
 */
export interface TrainerExport {
  projects: Project[];
}

export interface Project {
  id: Id;
  documents: Document[];
}

export interface Document {
  id: Id;
  [key: string]: unknown;
}

export type Id = string | number;

/** One annotation; `start` and `end` count code points of the document's text. */
export interface ExportedAnnotation {
  start: number;
  end: number;
  cui: string;
  [key: string]: unknown;
}

/** Whether several projects, or documents, may have the same id. Default: no. */
export interface AllowedRepeats {
  repeatedProjects?: boolean;
  repeatedDocuments?: boolean;
}

/** Reads exports and joins their projects, in order. */
export function readExports(
  files: readonly FormFile[],
  { repeatedProjects = false, repeatedDocuments = false }: AllowedRepeats = {},
): TrainerExport {
  const projects = files.flatMap((file) => parseExport(decode(file.bytes)).projects);
  const twice = repeatedOf(projects.map((project) => project.id))[0];
  if (twice !== undefined && !repeatedProjects) {
    throw refused(400, `Found multiple projects share the same ID: ${twice}`);
  }
  const repeated = repeatedOf(projects.flatMap(({ documents }) => documents.map(({ id }) => id)));
  if (repeated.length > 0 && !repeatedDocuments) {
    throw refused(
      400,
      `Found multiple documents share the same ID(s): [${repeated.map(pythonText).join(", ")}]`,
    );
  }
  return { projects };
}

export function parseExport(source: string): TrainerExport {
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch (error) {
    const at = brokenAt(error);
    throw refused(400, at === undefined ? "Invalid JSON" : `Invalid JSON: ${lineAndColumn(source, at)}`);
  }
  const projects = listOf(value, "projects").map((project) => ({
    ...objectOf(project),
    id: idOf(project),
    documents: listOf(project, "documents").map((document) => ({
      ...objectOf(document),
      id: idOf(document),
    })),
  }));
  return { ...objectOf(value), projects };
}

export function textOf(document: Document): string {
  const text = memberOf(document, "text");
  if (typeof text !== "string") throw wrong("text", "a text");
  return text;
}

/** The annotations of a document; MedCATtrainer keeps them in a list, older versions in an object. */
export function annotationsOf(document: Document): ExportedAnnotation[] {
  const value = memberOf(document, "annotations");
  if (typeof value !== "object" || value === null) throw wrong("annotations", "a list or an object");
  return Object.values(value).map((annotation: unknown) => {
    const cui = memberOf(annotation, "cui");
    if (typeof cui !== "string") throw wrong("cui", "a text");
    return {
      ...objectOf(annotation),
      cui,
      start: offsetOf(annotation, "start"),
      end: offsetOf(annotation, "end"),
    };
  });
}

/** Leaves out what the annotators did not accept. */
export function acceptedOf(document: Document): ExportedAnnotation[] {
  return annotationsOf(document).filter(
    ({ correct, deleted, killed }) => isTruthy(correct ?? true) && !isTruthy(deleted) && !isTruthy(killed),
  );
}

/** As Python sees it: 0, an empty text and an empty list are false too. */
export function isTruthy(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** A value as Python prints it, for messages and to compare values as CMS does. */
export function pythonText(value: unknown): string {
  if (value === undefined || value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return `'${value}'`;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Cuts texts by code points. */
export function codePointSlicer(text: string): (start: number, end?: number) => string {
  if (!/[\ud800-\udbff]/.test(text)) return (start, end) => text.slice(start, end);
  const points = [...text];
  return (start, end) => points.slice(start, end).join("");
}

function memberOf(value: unknown, key: string): unknown {
  const member = objectOf(value)[key];
  if (member === undefined) throw refused(500, `'${key}'`);
  return member;
}

function objectOf(value: unknown): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw refused(500, "The trainer export has something else where an object must be.");
}

function listOf(value: unknown, key: string): unknown[] {
  const member = memberOf(value, key);
  if (!Array.isArray(member)) throw wrong(key, "a list");
  return member as unknown[];
}

function idOf(value: unknown): Id {
  const id = memberOf(value, "id");
  if (typeof id !== "string" && typeof id !== "number") throw wrong("id", "a number or a text");
  return id;
}

function offsetOf(annotation: unknown, key: string): number {
  const offset = memberOf(annotation, key);
  if (!Number.isSafeInteger(offset) || (offset as number) < 0) throw wrong(key, "a whole number from 0");
  return offset as number;
}

function wrong(key: string, expected: string): Refusal {
  return refused(500, `'${key}' in the trainer export must be ${expected}.`);
}

function refused(status: number, sentence: string): Refusal {
  return new Refusal(message(status, sentence));
}

function repeatedOf(ids: readonly Id[]): Id[] {
  const seen = new Set<Id>();
  const repeated = new Set<Id>();
  for (const id of ids) (seen.has(id) ? repeated : seen).add(id);
  return [...repeated];
}

function lineAndColumn(source: string, at: number): string {
  const lines = source.slice(0, at).split("\n");
  return `line ${lines.length} column ${(lines.at(-1)?.length ?? 0) + 1} (char ${at})`;
}
