import { invalid, problem } from "../answers.ts";
import { Refused, type ResponseView } from "../exchange.ts";
import { JsonChecker } from "./json-checker.ts";
import { JsonFault } from "./json-fault.ts";
import { MultipartChecker } from "./multipart-checker.ts";
import { MultipartFault } from "./multipart-fault.ts";

/** Looks at a body on its way and changes nothing. Both methods throw `Refused` when it is not what it says it is. */
export interface BodyChecker {
  push(chunk: Uint8Array): void;
  end(): void;
}

/** RFC 2046 allows 70; some clients do not keep to it. */
const MAX_BOUNDARY = 250;

/**
 * A checker for a body of this type; `undefined` for types of which any bytes may be one. The refusal, when the type
 * itself lacks what reading the body takes.
 */
export function bodyChecker(
  essence: string,
  contentType: string,
): BodyChecker | { readonly refusal: ResponseView } | undefined {
  switch (essence) {
    case "application/json":
      return refusing(new JsonChecker({ lines: false }), jsonRefusal);
    case "application/x-ndjson":
      return refusing(new JsonChecker({ lines: true }), linesRefusal);
    case "multipart/form-data":
      return multipartChecker(contentType);
    default:
      return undefined;
  }
}

function refusing(checker: BodyChecker, refusalOf: (error: unknown) => unknown): BodyChecker {
  const guarded = (check: () => void): void => {
    try {
      check();
    } catch (error) {
      throw refusalOf(error);
    }
  };
  return {
    push: (chunk) => guarded(() => checker.push(chunk)),
    end: () => guarded(() => checker.end()),
  };
}

function jsonRefusal(error: unknown): unknown {
  return error instanceof JsonFault ? jsonRefused("The body is not JSON", error) : error;
}

function linesRefusal(error: unknown): unknown {
  if (!(error instanceof JsonFault)) return error;
  return jsonRefused(`Line ${error.place.line} of the body is not JSON`, error);
}

function jsonRefused(what: string, { message, place }: JsonFault): Refused {
  const { line, column, offset } = place;
  const msg = `${what}: ${message} (line ${line}, byte ${column}; byte ${offset} of the whole, from 0)`;
  const ctx = { line, column, offset };
  return new Refused(invalid([{ type: "json_invalid", loc: ["body"], msg, input: null, ctx }]));
}

function multipartRefusal(error: unknown): unknown {
  if (!(error instanceof MultipartFault)) return error;
  const { field, message } = error;
  if (field === undefined) return new Refused(invalidMultipart(`Invalid multipart data: ${message}.`));
  const msg = message.charAt(0).toUpperCase() + message.slice(1);
  return new Refused(invalid([{ type: "value_error", loc: ["body", field], msg, input: null }]));
}

function invalidMultipart(detail: string): ResponseView {
  return problem(400, detail, { code: "INVALID_REQUEST" });
}

/** The sentence for a missing boundary is the one that callers know. */
function multipartChecker(contentType: string): ReturnType<typeof bodyChecker> {
  const [, quoted, plain] = /;[ \t]*boundary=(?:"((?:[^"\\]|\\.)*)"|([^;"\s]*))/i.exec(contentType) ?? [];
  const boundary = quoted?.replace(/\\(.)/g, "$1") ?? plain ?? "";
  if (boundary === "") return { refusal: invalidMultipart("Missing boundary in multipart.") };
  if (boundary.length > MAX_BOUNDARY) {
    return { refusal: invalidMultipart(`A boundary may have ${MAX_BOUNDARY} characters at most.`) };
  }
  return refusing(new MultipartChecker(boundary), multipartRefusal);
}
