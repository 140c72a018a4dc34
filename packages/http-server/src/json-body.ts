import { invalidField, problem } from "./answers.ts";
import { bodyChecker } from "./checks/body-checker.ts";
import { Refused, type RequestBody } from "./exchange.ts";
import { discard } from "./read-stream.ts";

/** What a request can ask for in JSON is small. */
const MAX_BYTES = 16 * 1024;

/** Reads a body that is a JSON object. Throws `Refused` when it is none. */
export async function readJsonBody(body: RequestBody): Promise<Readonly<Record<string, unknown>>> {
  const tooLarge = (): Refused =>
    new Refused(
      problem(413, `the body is larger than the ${MAX_BYTES} bytes allowed`, { code: "PAYLOAD_TOO_LARGE" }),
    );
  if ((body.announcedBytes ?? 0) > MAX_BYTES) throw tooLarge();
  const taken = await body.take(MAX_BYTES);
  if (!(taken instanceof Uint8Array)) {
    await discard(taken);
    throw tooLarge();
  }
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
