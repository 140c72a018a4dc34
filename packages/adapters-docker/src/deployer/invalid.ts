import { GatewayError } from "@modelgate/core";

/** Linux gives a program no longer text than this, as an argument or as `NAME=value`. */
const LONGEST_TEXT_BYTES = 131_071;

/** For what a caller asked for, as against what the deployer was made with. */
export function invalidRequest(field: string, problem: string): GatewayError {
  return new GatewayError("INVALID_REQUEST", `${field} ${problem}`, { details: { field } });
}

/**
 * A text that reaches a process byte for byte. NUL ends a text of Linux, and half of a surrogate pair has no bytes in
 * UTF-8: both would arrive as something else. Never quotes the text, which might be a secret.
 */
export function checkText(value: unknown, field: string, mostBytes: number = LONGEST_TEXT_BYTES): string {
  if (typeof value !== "string") throw invalidRequest(field, "must be a text");
  if (value.includes("\0")) throw invalidRequest(field, "has a NUL; leave it out");
  if (!value.isWellFormed()) {
    throw invalidRequest(field, "has half of a surrogate pair, which UTF-8 cannot hold; leave it out");
  }
  if (Buffer.byteLength(value) > mostBytes) {
    throw invalidRequest(field, `has more than the ${mostBytes} bytes that can be handed over; shorten it`);
  }
  return value;
}

export function checkNumber(value: unknown, field: string, least: number, most: number): number {
  if (typeof value === "number" && value >= least && value <= most) return value;
  throw invalidRequest(field, `is ${shown(value)}; give a number from ${least} to ${most}`);
}

export function checkWhole(value: unknown, field: string, least: number, most: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) {
    return value as number;
  }
  throw invalidRequest(field, `is ${shown(value)}; give a whole number from ${least} to ${most}`);
}

function shown(value: unknown): string {
  return typeof value === "number" ? String(value) : typeof value;
}
