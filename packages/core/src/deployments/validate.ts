import { GatewayError } from "../errors.ts";

/** As in the API that this one follows; what engines take as a name is a part of it. */
const MODEL_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
const MAX_NAME = 255;
const MAX_URI = 8_192;
const MAX_TRACKING_ID = 512;
/** With an address of full length it fits a record, however many of its characters JSON escapes. */
const MAX_DESCRIPTION = 16_384;
/** Three thousand years: an instant that far from now still is one. */
const MAX_DURATION_MS = 1e14;

/** Further members tell callers that have words of their own for it which rule was broken. */
export function refusal(
  field: string,
  message: string,
  details: Readonly<Record<string, string | number>> = {},
): GatewayError {
  return new GatewayError("INVALID_REQUEST", `${field} ${message}`, { details: { field, ...details } });
}

/** Whether a deployed model can have this name. */
export function isModelName(model: string): boolean {
  return model.length <= MAX_NAME && MODEL_NAME.test(model);
}

export function checkModelName(model: string): string {
  if (isModelName(model)) return model;
  throw refusal(
    "model",
    `must have 1 to ${MAX_NAME} characters of A-Z, a-z, 0-9, _, . and -, and begin with a letter or a digit`,
  );
}

/** The address without white space around it. */
export function checkModelUri(uri: string): string {
  return checkText("modelUri", uri.trim(), 1, MAX_URI);
}

export function checkTrackingId(trackingId: string): string {
  return checkText("trackingId", trackingId.trim(), 1, MAX_TRACKING_ID);
}

export function checkDescription(description: string): string {
  return checkText("description", description, 0, MAX_DESCRIPTION);
}

export function checkDuration(field: string, durationMs: number): number {
  if (Number.isSafeInteger(durationMs) && durationMs > 0 && durationMs <= MAX_DURATION_MS) return durationMs;
  throw refusal(field, `is ${durationMs}; give a whole number of milliseconds from 1 to ${MAX_DURATION_MS}`, {
    rule: "range",
  });
}

function checkText(field: string, text: string, least: number, most: number): string {
  if (text.length < least) throw refusal(field, "is empty");
  if (text.length > most) throw refusal(field, `has ${text.length} characters; at most ${most} are taken`);
  if (text.includes("\0") || !text.isWellFormed()) {
    throw refusal(field, "holds a NUL, or half of a character");
  }
  return text;
}
