import type { Duplex } from "node:stream";
import type { ByteStream, Closable, OperationOptions } from "./common.ts";
import type { ModelServer } from "./discovery.ts";

/** What a protocol says of one of its operations. */
export interface OperationSpec {
  /** Whether sending it twice is harmless. Only what is declared so is ever sent again after an unclear send. */
  readonly repeatable: boolean;
  /** Whether the server answers at once and works on. */
  readonly background: boolean;
  /** Time limit of the call, or of the whole run for background work. */
  readonly timeoutMs: number;
  /** Time limit of the request that begins background work. Default: `timeoutMs` or two minutes, whichever is less. */
  readonly callTimeoutMs?: number | undefined;
  /** The media type that it expects, without parameters; absent when it takes no body. */
  readonly contentType?: string | undefined;
}

/** What the server said, before its body was read. */
export interface ServerAnswer {
  readonly status?: number | undefined;
  readonly contentType?: string | undefined;
  readonly disposition?: string | undefined;
  /** When the server announced it. */
  readonly sizeBytes?: number | undefined;
  /** Read it to the end or `return()` it. A break in the middle throws `SERVER_BROKE_OFF`. */
  readonly body: ByteStream;
}

/**
 * What came back from a call, in words that every protocol shares.
 *
 * - `done`: the final answer.
 * - `accepted`: the server works in the background under `runId`.
 * - `refused`: nothing was begun: no connection, still starting, busy, draining. Waiting is not failing.
 * - `broken`: the send may have had an effect, and no usable answer came.
 * - `rejected`: the server will not do this, now or later; its answer is kept.
 */
export type CallOutcome =
  | { readonly kind: "done"; readonly answer: ServerAnswer }
  | { readonly kind: "accepted"; readonly runId?: string | undefined; readonly instance?: string | undefined }
  | {
      readonly kind: "refused";
      readonly reason: "unreachable" | "starting" | "busy" | "draining";
      /** What the server asked for. */
      readonly retryAfterMs?: number | undefined;
      /** The run that keeps it busy. */
      readonly blockingRunId?: string | undefined;
    }
  | { readonly kind: "broken"; readonly reason: "reset" | "timeout" | "bad_gateway" }
  | { readonly kind: "rejected"; readonly answer: ServerAnswer };

export interface ServerCall {
  readonly server: ModelServer;
  readonly model: string;
  readonly operation: string;
  /** The task's id, by which the server knows the run. */
  readonly taskId: string;
  /** As the caller gave it, without the question mark. */
  readonly query: string;
  readonly contentType?: string | undefined;
  readonly sizeBytes: number;
  /** The payload: bytes when they are at hand, else a stream that can be read once. */
  readonly payload: Uint8Array | ByteStream;
  /** Called right before the first byte leaves. */
  readonly onSend: () => void;
  /** Time limit until the answer's headers; the body's is the caller's. */
  readonly timeoutMs: number;
}

/** What a probe found. */
export interface ProbeReport {
  readonly ready: boolean;
  /** Which incarnation answered, where it can be told. */
  readonly instance?: string | undefined;
  /** Models that the server says it serves; absent when it does not say. */
  readonly models?: readonly string[] | undefined;
  /** Why not, for people; no secrets. */
  readonly reason?: string | undefined;
}

/**
 * What is known of the background work that a task began on a server.
 *
 * - `active`: it runs.
 * - `succeeded`, `failed`: it ended so. `document` is the result.
 * - `ambiguous`: nothing of it seems to go on, and which of several endings is its own cannot be told.
 * - `none`: whoever would know is sure that there is no such run.
 * - `unclear`: it cannot be told now.
 */
export interface RunReport {
  readonly run: "active" | "succeeded" | "failed" | "ambiguous" | "none" | "unclear";
  readonly runId?: string | undefined;
  readonly document?: ServerAnswer | undefined;
  /** The ending may look otherwise in a moment: it is believed when it is told again a little later. */
  readonly isProvisional?: boolean | undefined;
  /** The incarnation that ran it is known to be gone. */
  readonly isLost?: boolean | undefined;
  /** Whether the server does no background work at all; absent when it cannot be told. */
  readonly idle?: boolean | undefined;
  /** Which incarnation of the server answered, as far as that was found out: see `RunQuery.wantsInstance`. */
  readonly instance?: string | undefined;
}

export interface RunQuery {
  readonly server: ModelServer;
  /** Absent when only the server's idleness is asked for. */
  readonly taskId?: string | undefined;
  readonly runId?: string | undefined;
  /** What the run does, where that is known. */
  readonly operation?: string | undefined;
  /** Find out which incarnation of the server this is, even if it takes a request more. */
  readonly wantsInstance?: boolean | undefined;
}

/** Headers in their order, as they came; a name may come again. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/** A request that goes straight to a server, as its caller made it. */
export interface PassedRequest {
  readonly server: ModelServer;
  readonly method: string;
  /** Below the server's root, percent-encoded as it came; begins with a slash. */
  readonly path: string;
  /** As it came, without the question mark. */
  readonly query: string;
  /** Those that are about a single connection are left out by the protocol, and so is everything about its host. */
  readonly headers: HeaderList;
  /** Absent when it has no body. */
  readonly payload?: Uint8Array | ByteStream | undefined;
  /** When it was announced. */
  readonly sizeBytes?: number | undefined;
  /** Time limit until the answer's headers. */
  readonly timeoutMs: number;
  /** Longest silence in the middle of the answer's body. Default: none. */
  readonly idleTimeoutMs?: number | undefined;
}

/** What the server answered, whatever it is. */
export interface PassedAnswer {
  readonly status: number;
  /** Without those that are about a single connection, and without `content-length`. */
  readonly headers: HeaderList;
  /** What `content-length` announced; of the body that is left out, where a HEAD or a 304 has none. */
  readonly sizeBytes?: number | undefined;
  /** Read it to the end or `return()` it. A break in the middle throws `SERVER_BROKE_OFF`, silence `SERVER_TIMEOUT`. */
  readonly body: ByteStream;
}

/**
 * - `answered`: by the server, or something before it.
 * - `unsent`: no byte of it can have left, and the payload was not touched.
 * - `broken`: it may have arrived, and no usable answer came.
 */
export type PassOutcome =
  | {
      readonly kind: "answered";
      readonly answer: PassedAnswer;
      /** Present when it says that the server has too much to do, and until when. */
      readonly busy?: { readonly retryAfterMs: number } | undefined;
    }
  | { readonly kind: "unsent" }
  | { readonly kind: "broken"; readonly reason: "reset" | "timeout" | "bad_gateway" };

/** - `upgraded`: the connection speaks another protocol from here on, a WebSocket's mostly. */
export type UpgradeOutcome =
  | PassOutcome
  | {
      readonly kind: "upgraded";
      /** Of the answer 101, as it may be handed on: `upgrade` and `connection` are in it. */
      readonly headers: HeaderList;
      /** The bare connection. What the server sent right after its answer is read from it first. */
      readonly connection: Duplex;
    };

/**
 * What a protocol says of a path before anything is sent.
 *
 * - `pass`: it may go straight to a server.
 * - `task`: it changes the model or keeps the server busy after its answer, and is to be submitted as `operation`.
 * - `refuse`: it may not be called through the gateway at all, and nothing stands for it.
 */
export type PassRule =
  | { readonly kind: "pass" }
  | { readonly kind: "task"; readonly operation: string }
  | { readonly kind: "refuse"; readonly reason: string };

/** How a kind of server is spoken to. It judges statuses and texts of that kind; the core does not. */
export interface ServerProtocol extends Closable {
  /** As servers name it in `ModelServer.protocol`. */
  readonly name: string;
  readonly operations: ReadonlyMap<string, OperationSpec>;
  readonly capabilities: {
    /** Whether `findRun` can tell. When not, an unclear send of work that is not repeatable stays unclear. */
    readonly findsRuns: boolean;
    readonly cancelsRuns: boolean;
    /** Whether requests may go straight to its servers by `pass`. */
    readonly passes: boolean;
    /** Whether `pass.upgrade` takes part in protocols other than HTTP. */
    readonly upgrades: boolean;
  };
  /** Straight to a server; absent unless claimed. */
  readonly pass?: PassThrough | undefined;
  /** Whether the server is ready for work. Never rejects because of the server. */
  probe(server: ModelServer, options?: OperationOptions): Promise<ProbeReport>;
  /**
   * Sends one task. Never rejects because of the server: that is an outcome. An aborted `signal` reaches the server
   * as a closed connection, and rejects.
   */
  call(call: ServerCall, options?: OperationOptions): Promise<CallOutcome>;
  /** What became of a run. Never rejects because of the server. */
  findRun(query: RunQuery, options?: OperationOptions): Promise<RunReport>;
  /** Asks the server to end a run; resolves whether it took the request. Rejects `UNSUPPORTED` unless claimed. */
  cancelRun(query: RunQuery, options?: OperationOptions): Promise<boolean>;
  /** What the server says of itself, verbatim; an error of its own too, with its status. `undefined` when it does not answer. */
  info(server: ModelServer, options?: OperationOptions): Promise<ServerAnswer | undefined>;
}

/** How requests reach a server without being tasks. Nothing is ever sent twice, no redirect is followed. */
export interface PassThrough {
  /** What may be done with a path, in whatever way it is written. Pure. */
  rule(method: string, path: string): PassRule;
  /**
   * Sends one request and streams both ways. Never rejects because of the server. An aborted `signal` reaches the
   * server as a closed connection, also while the answer is read.
   */
  send(request: PassedRequest, options?: OperationOptions): Promise<PassOutcome>;
  /** The same for a request that asks for another protocol. Rejects `UNSUPPORTED` unless claimed. */
  upgrade(request: PassedRequest, options?: OperationOptions): Promise<UpgradeOutcome>;
}
