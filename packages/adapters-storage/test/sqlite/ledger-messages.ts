import { GatewayError, type GatewayErrorCode } from "@modelgate/core";

export interface ChildCall {
  readonly n: number;
  readonly client: number;
  /** A method of the ledger; or `open` with a directory, or `end` for the whole store. */
  readonly method: string;
  readonly args: readonly unknown[];
}

export interface ChildReply {
  readonly n: number;
  readonly value?: unknown;
  readonly error?: unknown;
}

interface WireError {
  readonly wireError: { readonly code: GatewayErrorCode; readonly message: string; readonly details: object };
}

/** The message between the processes keeps everything but the class of an error. */
export function toWire(value: unknown): unknown {
  if (GatewayError.is(value)) {
    const { code, message, details } = value;
    return { wireError: { code, message, details } } satisfies WireError;
  }
  return each(value, toWire);
}

export function fromWire(value: unknown): unknown {
  if (typeof value === "object" && value !== null && "wireError" in value) {
    const { code, message, details } = (value as WireError).wireError;
    return new GatewayError(code, message, { details: details as GatewayError["details"] });
  }
  return each(value, fromWire);
}

function each(value: unknown, convert: (part: unknown) => unknown): unknown {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || value instanceof Error)
    return value;
  if (Array.isArray(value)) return value.map(convert);
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, convert(part)]));
}
