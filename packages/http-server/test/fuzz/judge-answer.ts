import type { RawAnswer } from "./read-answers.ts";

/** What the gateway may answer, whatever it is asked; 503 only for a model that nobody knows. */
const DECLARED = new Set([
  ...[200, 202, 206, 304],
  ...[400, 403, 404, 405, 408, 409, 410, 413, 414, 415, 416, 417, 422, 429, 431, 503],
]);

/** What is wrong with an answer, or `undefined`. */
export function flawOf({ status, headers, body }: RawAnswer): string | undefined {
  // The model server's own status and words.
  if (headers.has("x-task-status")) return undefined;
  // A head of more than a model server takes breaks off what goes straight to it.
  if (status === 502 && parse(body)?.["code"] === "SERVER_BAD_GATEWAY") return undefined;
  if (!DECLARED.has(status)) return `status ${status}`;
  if (status < 400 || body.byteLength === 0) return undefined;
  const type = headers.get("content-type");
  if (type !== "application/json" && type !== "application/problem+json") return `an error of type ${type}`;
  const problem = parse(body);
  if (problem === undefined) return `a ${status} that is no JSON`;
  if (status === 503 && problem["code"] !== "MODEL_UNKNOWN") return `a 503 with code ${problem["code"]}`;
  if (status === 422 && !isIssueList(problem["detail"])) return "a 422 that names no field";
  if (problem["detail"] === undefined) return `a ${status} without a detail`;
  const isBare = type === "application/json" && (status === 403 || status === 404);
  const hasMembers = problem["status"] === status && `${problem["type"]}`.startsWith("urn:modelgate:error:");
  return hasMembers || isBare ? undefined : `a ${status} without the members of RFC 9457`;
}

/** The id of the task that an answer says was accepted. */
export function acceptedId({ status, headers, body }: RawAnswer): string | undefined {
  const waited = headers.get("preference-applied") === undefined ? undefined : headers.get("x-task-uuid");
  if (waited !== undefined) return waited;
  if (status !== 200 && status !== 202) return undefined;
  const uuid = parse(body)?.["uuid"];
  return typeof uuid === "string" ? uuid : undefined;
}

function isIssueList(detail: unknown): boolean {
  return (
    Array.isArray(detail) && detail.length > 0 && detail.every((each) => Array.isArray(each?.loc) && each.msg)
  );
}

function parse(body: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
