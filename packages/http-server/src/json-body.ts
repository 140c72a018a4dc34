import { invalidField, problem } from "./answers.ts";
import { bodyChecker } from "./checks/body-checker.ts";
import { Refused, type RequestBody } from "./exchange.ts";
import { discard } from "./read-stream.ts";

/** What a request can ask for in JSON is small. */
const MAX_BYTES = 16 * 1024;

export interface JsonBodyOptions {
  readonly maxBytes?: number | undefined;
  /** Whether no body at all stands for an empty object. */
  readonly isOptional?: boolean | undefined;
}

/** Reads a body that is a JSON object. Throws `Refused` when it is none. */
export async function readJsonBody(
  body: RequestBody,
  { maxBytes = MAX_BYTES, isOptional = false }: JsonBodyOptions = {},
): Promise<Readonly<Record<string, unknown>>> {
  const tooLarge = (): Refused =>
    new Refused(
      problem(413, `the body is larger than the ${maxBytes} bytes allowed`, { code: "PAYLOAD_TOO_LARGE" }),
    );
  if ((body.announcedBytes ?? 0) > maxBytes) throw tooLarge();
  const taken = await body.take(maxBytes);
  if (!(taken instanceof Uint8Array)) {
    await discard(taken);
    throw tooLarge();
  }
  if (isOptional && taken.byteLength === 0) return {};
  const checker = bodyChecker("application/json", "");
  if (checker !== undefined && "push" in checker) {
    checker.push(taken);
    checker.end();
  }
  const value = parse(new TextDecoder().decode(taken));
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new Refused(invalidField(["body"], "Input should be an object", { type: "dict_type" }));
}

/** The checker lets pass what Python writes and JSON does not have. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refused(
      invalidField(["body"], "NaN and Infinity are not taken here", { type: "json_invalid" }),
    );
  }
}
