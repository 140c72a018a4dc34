import { isUtf8 } from "node:buffer";
import { json, message, Refusal } from "./answer.ts";

/** One line of `/process_jsonl`. */
export interface NamedText {
  name: string;
  text: string;
}

type Location = (string | number)[];

/** A 422 in the form of FastAPI, which CMS is built on. */
function unprocessable(type: string, loc: Location, msg: string, input: unknown, ctx?: unknown): Refusal {
  return new Refusal(json(422, { detail: [{ type, loc, msg, input, ...(ctx !== undefined && { ctx }) }] }));
}

const missing = (): Refusal => unprocessable("missing", ["body"], "Field required", null);

const notUtf8 = (): Refusal => new Refusal(message(500, "'utf-8' codec can't decode the request body"));

/** As in FastAPI, a body without a type is JSON; any other type than JSON is taken as it is. */
function isJson(contentType: string | undefined): boolean {
  const type = (contentType ?? "application/json").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  return type === "application/json" || /^application\/[^/]+\+json$/.test(type);
}

/** Keeps a byte order mark, as CMS does: offsets count it. */
function decode(body: Buffer): string {
  if (!isUtf8(body)) throw notUtf8();
  return body.toString("utf8");
}

function parseJson(body: Buffer): unknown {
  if (!isUtf8(body)) throw new Refusal(json(400, { detail: "There was an error parsing the body" }));
  const source = body.toString("utf8").replace(/^\ufeff/, "");
  try {
    return JSON.parse(source) as unknown;
  } catch (error) {
    // The engine's message quotes the text, so only the position is taken from it.
    const position = /at position (\d+)/.exec(String(error))?.[1];
    throw unprocessable(
      "json_invalid",
      ["body", Number(position ?? 0)],
      "JSON decode error",
      {},
      { error: "Invalid JSON" },
    );
  }
}

/** The body of `/process` and `/redact`: a text, or a JSON string. */
export function parseText(body: Buffer, contentType: string | undefined): string {
  if (body.length === 0) throw missing();
  if (!isJson(contentType)) return decode(body);
  const value = parseJson(body);
  if (value === null) throw missing();
  if (typeof value !== "string") throw notString(["body"], value);
  return value;
}

/** The body of `/process_bulk`: a JSON list of texts. */
export function parseTexts(body: Buffer, contentType: string | undefined): string[] {
  if (body.length === 0) throw missing();
  const value = isJson(contentType) ? parseJson(body) : decode(body);
  if (value === null) throw missing();
  if (!Array.isArray(value))
    throw unprocessable("list_type", ["body"], "Input should be a valid list", value);
  return value.map((item: unknown, index) => {
    if (typeof item !== "string") throw notString(["body", index], item);
    return item;
  });
}

function notString(loc: Location, input: unknown): Refusal {
  return unprocessable("string_type", loc, "Input should be a valid string", input);
}

const lineSchema = {
  additionalProperties: false,
  properties: {
    text: {
      description: "The text from which the annotations are extracted",
      title: "Text",
      type: "string",
    },
    name: {
      anyOf: [{ type: "string" }, { type: "null" }],
      default: null,
      description: "The name of the document containing the text",
      title: "Name",
    },
  },
  required: ["text"],
  title: "TextStreamItem",
  type: "object",
};

const invalidLine = (): Refusal => new Refusal(message(400, "Invalid JSON Lines."));

const invalidProperties = (): Refusal =>
  new Refusal(message(400, `Invalid properties found. The schema should be ${JSON.stringify(lineSchema)}`));

/** The body of `/process_jsonl`. Every line is checked before the first is worked on. */
export function parseLines(body: Buffer, contentType: string | undefined): NamedText[] {
  const source = parseText(body, contentType);
  const lines = source.split(/\r\n|\n|\r/);
  if (lines.at(-1) === "") lines.pop();
  return lines.map(parseLine);
}

function parseLine(line: string, index: number): NamedText {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw invalidLine();
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalidProperties();
  const { text, name, ...others } = value as Record<string, unknown>;
  if (typeof text !== "string" || Object.keys(others).length > 0) throw invalidProperties();
  if (name === undefined || name === null) return { text, name: String(index) };
  if (typeof name !== "string") throw invalidProperties();
  return { text, name };
}

/** What `/redact` can be told in its query. */
export interface RedactOptions {
  keep: ReadonlySet<string>;
  mask: string;
  hash: boolean;
  warn: boolean;
}

export function parseRedactOptions(query: URLSearchParams): RedactOptions {
  return {
    keep: new Set(query.getAll("concepts_to_keep")),
    mask: query.getAll("mask").at(-1) ?? "",
    hash: parseFlag(query, "hash"),
    warn: parseFlag(query, "warn_on_no_redaction"),
  };
}

function parseFlag(query: URLSearchParams, name: string): boolean {
  const value = query.getAll(name).at(-1);
  if (value === undefined) return false;
  if (/^(?:true|1|yes|on|t|y)$/i.test(value)) return true;
  if (/^(?:false|0|no|off|f|n)$/i.test(value)) return false;
  const sentence = "Input should be a valid boolean, unable to interpret input";
  throw unprocessable("bool_parsing", ["query", name], sentence, value);
}
