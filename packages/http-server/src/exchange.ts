import type { Duplex } from "node:stream";
import type { ByteStream, HeaderList } from "@modelgate/core";

/** The body of a request, not yet read. */
export interface RequestBody {
  /** What the client announced; absent when it sends in pieces. */
  readonly announcedBytes: number | undefined;
  /** All of it when it has at most `wholeBytes`, else a stream. Called at most once. */
  take(wholeBytes: number): Promise<Uint8Array | ByteStream>;
  /** The same in the pieces in which it comes, nothing of which is asked for before the first is read. In place of `take`. */
  stream(): ByteStream;
}

/** What a route knows of a request, whatever host it came through. */
export interface RequestView {
  readonly method: string;
  /** The query string as it came, without the question mark. */
  readonly query: string;
  /** What the host took off the front of the path, such as `/gateway`; empty when nothing. */
  readonly mountPath: string;
  readonly clientAddress: string | undefined;
  /** Whether its connection can be had for another protocol. */
  readonly canUpgrade: boolean;
  readonly body: RequestBody;
  /** By its lower-case name. */
  header(name: string): string | undefined;
  /** All headers as the host has them; on Node in the order and the spelling in which they came. */
  headers(): HeaderList;
  /** Calls back once when the client hangs up before it was answered. The function returned ends that. */
  onHangUp(callback: () => void): () => void;
}

/** What a route answers. */
export interface ResponseView {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Text is sent as UTF-8. A stream is read at the client's pace, and let go when the client hangs up. */
  readonly body: string | Uint8Array | ByteStream;
  /** Size of a stream, where it is known. */
  readonly sizeBytes?: number | undefined;
  /** Headers that may come several times, after `headers`. Of a body's length only `sizeBytes` and the body itself tell. */
  readonly headerList?: HeaderList | undefined;
  /** Whether the rest of the request is read while this is sent. */
  readonly isDuplex?: boolean | undefined;
  /** Of a 101: what the client's connection is joined with. */
  readonly connection?: Duplex | undefined;
  /** Of an error: the body for callers that accept `application/problem+json`. */
  readonly problem?: string | undefined;
}

/** One route. `params` are the parts of the path that its pattern names, in order: decoded, but for what `*` stands for. */
export type Route = (request: RequestView, params: readonly string[]) => Promise<ResponseView> | ResponseView;

/**
 * A path and what answers it, by method; the method `*` stands for those that are not named. A part that begins with a
 * colon is a parameter, and a `*` at the end is all the rest: one character or more, as it came.
 */
export interface RoutePattern {
  readonly path: string;
  readonly methods: Readonly<Partial<Record<"GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "*", Route>>>;
}

/** Thrown where a request turns out to be one that is refused, from however deep inside the reading of its body. */
export class Refused extends Error {
  override readonly name: string = "Refused";
  readonly answer: ResponseView;

  constructor(answer: ResponseView) {
    super(`refused with status ${answer.status}`);
    this.answer = answer;
  }
}

/** What reading a body throws when the client hung up before it was complete. Nobody is left to be answered. */
export class ClientGone extends Error {
  override readonly name: string = "ClientGone";
}

/** What reading a body throws when something before the gateway has read it. */
export class BodyTaken extends Error {
  override readonly name: string = "BodyTaken";

  constructor() {
    super(
      "the body of the request was read before it reached the gateway; mount the gateway before body parsers such as express.json()",
    );
  }
}
