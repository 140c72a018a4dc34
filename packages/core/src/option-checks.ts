import { GatewayError } from "./errors.ts";

/** `INVALID_OPTIONS` that names the field. Never hand it a value that may be a secret. */
export function invalidOption(field: string, problem: string): GatewayError {
  return new GatewayError("INVALID_OPTIONS", `${field} ${problem}`, { details: { field } });
}

/** The number, if it is one within the bounds. Throws `INVALID_OPTIONS`. */
export function numberWithin(field: string, value: number, minimum: number, maximum: number): number {
  if (typeof value === "number" && value >= minimum && value <= maximum) return value;
  throw invalidOption(field, `must be a number from ${minimum} to ${maximum}; it is ${String(value)}`);
}
