import type { HeaderList } from "../../contracts/server-protocol.ts";
import { GatewayError } from "../../errors.ts";
import type { PassRequest } from "../../gateway-api.ts";

/** Longest wait, in milliseconds, that a timer of the host holds. */
const MAX_MS = 2_147_483_647;

/** Throws `INVALID_REQUEST` that names the field. What a method, path or header may look like is the protocol's matter. */
export function checkPassRequest(request: PassRequest): void {
  const { model, method, path, query, headers, waitMs, timeoutMs, sizeBytes } = request;
  if (typeof model !== "string" || model === "") throw refusal("model", "must be the name of a model");
  if (typeof method !== "string" || method === "") throw refusal("method", "must be a method of HTTP");
  if (typeof path !== "string" || !path.startsWith("/")) throw refusal("path", "must begin with a slash");
  if (query !== undefined && typeof query !== "string") throw refusal("query", "must be a text");
  if (headers !== undefined && !isHeaderList(headers)) {
    throw refusal("headers", "must be a list of pairs of a name and a value");
  }
  if (waitMs !== undefined && !isWithin(waitMs, 0)) throw refusal("waitMs", `must be from 0 to ${MAX_MS}`);
  if (timeoutMs !== undefined && !isWithin(timeoutMs, 1)) {
    throw refusal("timeoutMs", `must be from 1 to ${MAX_MS}`);
  }
  if (sizeBytes !== undefined && !(Number.isSafeInteger(sizeBytes) && sizeBytes >= 0)) {
    throw refusal("sizeBytes", "must be a number of bytes");
  }
}

function isWithin(value: number, minimum: number): boolean {
  return typeof value === "number" && value >= minimum && value <= MAX_MS;
}

function isHeaderList(headers: HeaderList): boolean {
  return (
    Array.isArray(headers) &&
    headers.every(([name, value]) => typeof name === "string" && typeof value === "string")
  );
}

function refusal(field: string, problem: string): GatewayError {
  return new GatewayError("INVALID_REQUEST", `${field} ${problem}`, { details: { field } });
}
