import { isUtf8 } from "node:buffer";
import { json, message, Refusal } from "./answer.ts";
import { missing, notList, notString, unprocessable } from "./issues.ts";
import { QueryReader } from "./query.ts";

/** One line of `/process_jsonl`. */
export interface NamedText {
  name: string;
  text: string;
}

const notUtf8 = (): Refusal => new Refusal(message(500, "'utf-8' codec can't decode the request body"));

/** As in FastAPI, a body without a type is JSON; any other type than JSON is taken as it is. */
function isJson(contentType: string | undefined): boolean {
  const type = (contentType ?? "application/json").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  return type === "application/json" || /^application\/[^/]+\+json$/.test(type);
}

/** Keeps a byte order mark, as CMS does: offsets count it. */
export function decode(body: Buffer): string {
  if (!isUtf8(body)) throw notUtf8();
  return body.toString("utf8");
}

/** Where a JSON text is broken, if the engine says so. Its own message quotes the text, and is not passed on. */
export function brokenAt(error: unknown): number | undefined {
  const position = /at position (\d+)/.exec(String(error))?.[1];
  return position === undefined ? undefined : Number(position);
}

function parseJson(body: Buffer): unknown {
  if (!isUtf8(body)) throw new Refusal(json(400, { detail: "There was an error parsing the body" }));
  const source = body.toString("utf8").replace(/^\ufeff/, "");
  try {
    return JSON.parse(source) as unknown;
  } catch (error) {
    throw unprocessable({
      type: "json_invalid",
      loc: ["body", brokenAt(error) ?? 0],
      msg: "JSON decode error",
      input: {},
      ctx: { error: "Invalid JSON" },
    });
  }
}

/** The JSON body of a route that takes an object. */
export function parseObject(body: Buffer, contentType: string | undefined): Record<string, unknown> {
  if (body.length === 0) throw unprocessable(missing(["body"]));
  const value = isJson(contentType) ? parseJson(body) : decode(body);
  if (value === null) throw unprocessable(missing(["body"]));
  if (typeof value !== "object" || Array.isArray(value)) {
    const msg = "Input should be a valid dictionary or object to extract fields from";
    throw unprocessable({ type: "model_attributes_type", loc: ["body"], msg, input: value });
  }
  return value as Record<string, unknown>;
}

/** The body of `/process`, `/redact` and `/preview`: a text, or a JSON string. */
export function parseText(body: Buffer, contentType: string | undefined): string {
  if (body.length === 0) throw unprocessable(missing(["body"]));
  if (!isJson(contentType)) return decode(body);
  const value = parseJson(body);
  if (value === null) throw unprocessable(missing(["body"]));
  if (typeof value !== "string") throw unprocessable(notString(["body"], value));
  return value;
}

/** The body of `/process_bulk`: a JSON list of texts. */
export function parseTexts(body: Buffer, contentType: string | undefined): string[] {
  if (body.length === 0) throw unprocessable(missing(["body"]));
  const value = isJson(contentType) ? parseJson(body) : decode(body);
  if (value === null) throw unprocessable(missing(["body"]));
  if (!Array.isArray(value)) throw unprocessable(notList(["body"], value));
  return value.map((item: unknown, index) => {
    if (typeof item !== "string") throw unprocessable(notString(["body", index], item));
    return item;
  });
}

/** The file of `/process_bulk_file`. CMS answers what is wrong with a file by 500. */
export function parseTextFile(bytes: Buffer): string[] {
  let value: unknown;
  try {
    value = JSON.parse(decode(bytes));
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(message(500, `Unexpected symbol at ${brokenAt(error) ?? 0}`));
  }
  if (!Array.isArray(value)) throw new Refusal(message(500, "The file is not a JSON list of texts."));
  return value.map((item: unknown, index) => {
    if (typeof item !== "string") throw new Refusal(message(500, `Item ${index} of the file is not a text.`));
    return item;
  });
}

/** What a line may be, as CMS describes it to whoever sent another. */
export const lineSchema: object = {
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
  const reader = new QueryReader(query);
  const options = {
    keep: new Set(query.getAll("concepts_to_keep")),
    mask: reader.text("mask") ?? "",
    hash: reader.flag("hash"),
    warn: reader.flag("warn_on_no_redaction"),
  };
  reader.check();
  return options;
}
