import type { ByteStream } from "@modelgate/core";

/** The body of a request, not yet read. */
export interface RequestBody {
  /** What the client announced; absent when it sends in pieces. */
  readonly announcedBytes: number | undefined;
  /** All of it when it has at most `wholeBytes`, else a stream. Called at most once. */
  take(wholeBytes: number): Promise<Uint8Array | ByteStream>;
}

/** What a route knows of a request, whatever host it came through. */
export interface RequestView {
  /** The query string as it came, without the question mark. */
  readonly query: string;
  readonly clientAddress: string | undefined;
  readonly body: RequestBody;
  /** By its lower-case name. */
  header(name: string): string | undefined;
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
}

/** One route. `params` are the decoded parts of the path that its pattern names, in order. */
export type Route = (request: RequestView, params: readonly string[]) => Promise<ResponseView> | ResponseView;

/** A path and what answers it, by method. A part that begins with a colon is a parameter. */
export interface RoutePattern {
  readonly path: string;
  readonly methods: Readonly<Partial<Record<"GET" | "POST" | "DELETE", Route>>>;
}

/** What reading a body throws when the client hung up before it was complete. Nobody is left to be answered. */
export class ClientGone extends Error {
  override readonly name: string = "ClientGone";
}
