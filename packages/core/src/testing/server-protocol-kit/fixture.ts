import assert from "node:assert/strict";
import type { ByteStream } from "../../contracts/common.ts";
import type { ModelServer } from "../../contracts/discovery.ts";
import type {
  CallOutcome,
  HeaderList,
  ServerAnswer,
  ServerCall,
  ServerProtocol,
} from "../../contracts/server-protocol.ts";
import { textBytes } from "../checks/bytes.ts";
import { settles } from "../checks/waiting.ts";
import type { KitFixture, KitTest } from "../kit/kit.ts";
import type { LifecycleParts } from "../lifecycle-kit/lifecycle-kit.ts";

/** What a model server does with a call. It reads the payload first, whatever it does then. */
export type ServerAct =
  /** Answers as if the work had been done. The body is pulled as fast as the connection takes it. */
  | {
      readonly act: "answer";
      readonly body: () => ByteStream;
      readonly contentType: string;
      readonly disposition?: string | undefined;
    }
  /** Takes background work, and names the run if it names runs. */
  | { readonly act: "accept" }
  | {
      readonly act: "busy";
      readonly retryAfterMs?: number | undefined;
      readonly blockingRunId?: string | undefined;
    }
  | { readonly act: "starting" }
  | { readonly act: "draining" }
  /** Closes the connection without an answer. */
  | { readonly act: "reset" }
  /** Never answers. */
  | { readonly act: "hang" }
  /** Something before the server had no answer of it. */
  | { readonly act: "bad_gateway" }
  /** Will not do this, now or later. */
  | { readonly act: "reject"; readonly bytes: Uint8Array; readonly contentType: string }
  /** Begins an answer with these bytes, and closes the connection in the middle of it. */
  | { readonly act: "break_off"; readonly first: Uint8Array };

/** A call as the server has it, from its first byte on. */
export interface ReceivedCall {
  readonly query: string;
  readonly contentType: string | undefined;
  /** All of the payload. */
  readonly body: Promise<Uint8Array>;
  /** What the server named the run that it accepted, if it names runs. */
  readonly runId?: string | undefined;
  /** Whether its sender closed the connection before it had a whole answer. */
  readonly isGivenUp: boolean;
}

/** What a model server does with a request that goes straight to it. */
export type PassAct =
  /** Answers at once, with these headers as they are, and the body as fast as its reader takes it. */
  | {
      readonly act: "answer";
      readonly status: number;
      readonly headers: HeaderList;
      readonly body: () => ByteStream;
    }
  /** Closes the connection without an answer. */
  | { readonly act: "reset" }
  /** Never answers. */
  | { readonly act: "hang" };

/** A request that went straight to the server, as it has it. */
export interface ReceivedPass {
  readonly method: string;
  /** With the query, as in the request line. */
  readonly target: string;
  readonly headers: HeaderList;
  /** All of the payload. */
  readonly body: Promise<Uint8Array>;
  /** Whether its sender closed the connection before it had a whole answer. */
  readonly isGivenUp: boolean;
}

/** A protocol, and a server that the fixture controls. */
export interface ServerProtocolFixture extends KitFixture, LifecycleParts {
  readonly protocol: ServerProtocol;
  /** It is up and ready. */
  readonly server: ModelServer;
  /** A server of the same kind, at an address where nobody listens. */
  readonly unreachable?: ModelServer | undefined;
  /** An operation that takes any bytes of this media type and is answered at once. */
  readonly operation: { readonly name: string; readonly contentType: string };
  /** An operation that is done in the background. */
  readonly background?: { readonly name: string; readonly contentType: string } | undefined;
  /** What the server can be made to do. */
  readonly acts: readonly ServerAct["act"][];
  /** Makes the server do this with the calls that follow. */
  readonly act: (act: ServerAct) => void;
  /** Every call that has reached the server. */
  readonly received: readonly ReceivedCall[];
  /** Ends the run that was accepted for a task. Needed when `capabilities.findsRuns`. */
  readonly endRun?: ((taskId: string, how: "succeeded" | "failed") => Promise<void>) | undefined;
  /** The tasks whose runs the server was asked to end. Needed when `capabilities.cancelsRuns`. */
  readonly cancelled?: readonly string[] | undefined;
  /** Requests that go straight to the server, below `/straight`. Needed when `capabilities.passes`. */
  readonly passing?:
    | { readonly act: (act: PassAct) => void; readonly received: readonly ReceivedPass[] }
    | undefined;
  /** Makes the server say whether it is ready. */
  readonly setReady?: ((isReady: boolean) => void) | undefined;
  /** What the server says of itself, if it does. */
  readonly info?: { readonly bytes: Uint8Array; readonly contentType: string } | undefined;
}

export type ServerProtocolTest = KitTest<ServerProtocolFixture>;

export const TASK_ID = "task-1";

/** For `leaveOut`: why a test that needs these acts does not concern a fixture. */
export function needs(
  ...acts: readonly ServerAct["act"][]
): (fixture: ServerProtocolFixture) => string | undefined {
  return (fixture) => {
    const missing = acts.filter((act) => !fixture.acts.includes(act));
    return missing.length === 0 ? undefined : `the fixture's server cannot ${missing.join(", ")}`;
  };
}

const PAYLOAD: Uint8Array = textBytes("a note");

/** A call of the fixture's operation, with `PAYLOAD` unless something else is given. */
export function callOf(fixture: ServerProtocolFixture, parts: Partial<ServerCall> = {}): ServerCall {
  const { server, operation } = fixture;
  const { payload = PAYLOAD } = parts;
  return {
    server,
    model: server.models[0] ?? "",
    operation: operation.name,
    taskId: TASK_ID,
    query: "",
    contentType: operation.contentType,
    sizeBytes: payload instanceof Uint8Array ? payload.byteLength : 0,
    onSend: () => {},
    timeoutMs: 20_000,
    ...parts,
    payload,
  };
}

/** What comes of a call that must not reject. */
export async function outcomeOf(
  fixture: ServerProtocolFixture,
  parts: Partial<ServerCall> = {},
): Promise<CallOutcome> {
  return await settles("call", fixture.protocol.call(callOf(fixture, parts)));
}

/** The answer of an outcome that has one. */
export function answerOf(outcome: CallOutcome, kind: "done" | "rejected"): ServerAnswer {
  assert.equal(outcome.kind, kind, "the outcome");
  assert.ok(outcome.kind === "done" || outcome.kind === "rejected");
  return outcome.answer;
}

/** Begins background work that the server accepts. */
export async function beginRun(fixture: ServerProtocolFixture): Promise<CallOutcome> {
  assert.ok(fixture.background !== undefined, "the fixture has no background operation");
  fixture.act({ act: "accept" });
  const { name, contentType } = fixture.background;
  return await outcomeOf(fixture, { operation: name, contentType });
}
