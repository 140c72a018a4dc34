import {
  GatewayError,
  type GatewayErrorCode,
  type JsonValue,
  type Settlement,
  type StoredRecord,
  type SweepRequest,
  type TaskRecord,
} from "@modelgate/core";
import type { DueQuery } from "../rows/due-query.ts";
import type { ListQuery } from "../rows/list-query.ts";
import type { SqlRow } from "../rows/task-row.ts";
import type { BodySlice } from "./body-pack.ts";

/** How the two threads talk: one text of JSON for all calls of a batch, which is far cheaper than cloning objects,
 * and one buffer for all their bytes, which changes hands. */
export interface WireMessage {
  readonly batch: number;
  /** `WireCall[]` one way, `WireReply[]` the other. */
  readonly json: string;
  readonly bytes?: ArrayBuffer | undefined;
}

/** A call and the number under which it is answered. */
export type WireCall = { readonly n: number } & Operation;

export type Operation =
  | { readonly op: "submit"; readonly tasks: readonly WireTask[] }
  | { readonly op: "bring"; readonly tasks: readonly WireBrought[] }
  | ({ readonly op: "exchange" } & WireExchange)
  | ({ readonly op: "apply" } & WireApply)
  | ({ readonly op: "claim" } & WireClaims)
  | { readonly op: "amend"; readonly items: readonly WireAmendment[] }
  | { readonly op: "sweep"; readonly request: SweepRequest }
  | { readonly op: "get"; readonly ids: readonly string[]; readonly bodies: "none" | "payload" | "result" }
  | { readonly op: "list"; readonly request: ListQuery }
  | { readonly op: "due"; readonly request: DueQuery }
  | { readonly op: "stats" }
  | { readonly op: "record-get"; readonly key: string }
  | {
      readonly op: "record-put";
      readonly key: string;
      readonly value: string;
      readonly expected: string | null;
    }
  | { readonly op: "record-delete"; readonly key: string; readonly expected: string }
  | { readonly op: "record-list"; readonly prefix: string; readonly after: string }
  | { readonly op: "open" }
  | { readonly op: "close" }
  /** For tests: stops the store's clock at an instant and its dice at a value. */
  | { readonly op: "freeze"; readonly nowMs: number; readonly random: number }
  /** For tests: ends the thread after what came with it was committed and before that is answered. */
  | { readonly op: "fail"; readonly how: FailureKind };

export type FailureKind = "throw" | "exit" | "linger";

/** id, model, operation, owner, background, priority, boostMs, waitMs, payload's size, identity, where its bytes
 * are, idempotency. */
export type WireTask = readonly [
  string,
  string,
  string,
  string,
  0 | 1,
  number,
  number,
  number,
  number,
  string,
  BodySlice | 0,
  WireKey | 0,
];

/** A task from elsewhere without its bytes, and where those of its payload and its result are. */
export type WireBrought = readonly [TaskRecord, BodySlice | 0, BodySlice | 0];

/** An idempotency key, the digest of what it stands for, and how long it is remembered. */
export type WireKey = readonly [string, string, number];

/** Accepted as new, its id belongs to another, refused by itself, its key's task, or its row as it was before. */
export type WireSubmitted = 0 | 1 | WireError | { readonly duplicate: SqlRow } | SqlRow;

export interface WireSettlement {
  /** Without its result. */
  readonly item: Settlement;
  /** The result as the column holds it. */
  readonly result?: string | undefined;
  readonly body?: BodySlice | undefined;
}

/** Server, instance, limit, max, number of its list of models or the models, background, cost. */
export type WireWant = readonly [
  string,
  string | null,
  number,
  number,
  number | readonly string[],
  0 | 1,
  number,
];

/** All of an exchange that needs no order. */
export interface WireExchangeParts {
  readonly runner: string;
  readonly incarnation: string;
  readonly sequence: number;
  readonly acknowledged: number;
  readonly leaseMs: number;
  readonly settle: readonly WireSettlement[];
  readonly renew: readonly (readonly [string, number, 0 | 1])[];
  readonly recover: number;
  readonly release: readonly (readonly [string, string, number])[];
}

export interface WireExchange extends WireExchangeParts {
  readonly want: readonly WireWant[];
  /** Long lists of models that the worker does not know yet, and those that it may forget. */
  readonly models?: readonly (readonly [number, readonly string[]])[] | undefined;
  readonly forget?: readonly number[] | undefined;
}

export interface WireApply extends WireExchangeParts {
  readonly servers: readonly string[];
}

export interface WireClaims {
  readonly runner: string;
  readonly incarnation: string;
  readonly sequence: number;
  readonly leaseMs: number;
  readonly claims: readonly WireClaim[];
}

/** A task and its servers, each with instance and limit. */
export type WireClaim = readonly [string, readonly (readonly [string, string | null, number])[]];

/** What is left of its delay in milliseconds, or what else became of it. */
export type WireClaimed = "full" | "gone" | number | WireGrant;

/** 0 accepted, 1 cancel requested, 2 unknown, stale with attempt and state, or refused. */
export type WireOutcome = 0 | 1 | 2 | readonly [number, string] | WireError;

export interface WireGrant {
  readonly kind: "run" | "recover";
  readonly row: SqlRow;
  readonly body?: BodySlice | undefined;
}

export interface WireExchanged {
  readonly nowMs: number;
  readonly settled: readonly WireOutcome[];
  readonly renewed: readonly WireOutcome[];
  readonly grants: readonly WireGrant[];
  readonly orphans: readonly WireHold[];
  readonly due?: number | undefined;
}

export interface WireApplied extends Omit<WireExchanged, "due"> {
  readonly repeated: boolean;
  /** Rows of what waits again. */
  readonly returned: readonly SqlRow[];
  /** Slots in use, for each server that was asked for. */
  readonly used: readonly number[];
  readonly held: readonly string[];
}

/** Server, task, attempt, instance. */
export type WireHold = readonly [string, string, number, string | null];

export type WireAmendment = readonly [string] | readonly [string, number, number];

export interface WireError {
  readonly code: GatewayErrorCode;
  readonly message: string;
  readonly details: GatewayError["details"];
  readonly cause?: string | undefined;
}

export type WireReply = readonly [number, "ok", unknown] | readonly [number, "error", WireError];

/** A record: its value still as text. */
export type WireRecord = readonly [string, string, string];

export function toStoredRecord([key, value, version]: WireRecord): StoredRecord {
  return { key, value: JSON.parse(value) as JsonValue, version };
}

export function toWireError(error: GatewayError): WireError {
  const cause = error.cause instanceof Error ? error.cause.message : undefined;
  return { code: error.code, message: error.message, details: error.details, cause };
}

export function fromWireError({ code, message, details, cause }: WireError): GatewayError {
  return new GatewayError(code, message, {
    details,
    cause: cause === undefined ? undefined : new Error(cause),
  });
}
