import type { IncomingMessage } from "node:http";
import type { CallLimit } from "./call-limit.ts";
import type { Modem } from "./modem.ts";

export interface DialRequest {
  readonly method: string;
  /** With the version, without a query. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
}

/**
 * Every status is taken as a success and every answer as a stream, so that its body, its headers and its end are read
 * here: the modem keeps a whole answer in memory, drops its headers, and never calls back when it breaks off.
 */
const EVERY_STATUS: Readonly<Record<string, true>> = Object.fromEntries(
  Array.from({ length: 500 }, (_none, index) => [String(index + 100), true]),
);

/** The beginning of an answer. */
export async function dial(modem: Modem, request: DialRequest, limit: CallLimit): Promise<IncomingMessage> {
  limit.signal.throwIfAborted();
  const { method, path, query, body } = request;
  // The modem changes what it is handed, and cuts the last character off a path with a "?" but no query.
  const hasQuery = Object.keys(query).length > 0;
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    modem.dial(
      {
        method,
        path: hasQuery ? `${path}?` : path,
        headers: { ...modem.headers, ...request.headers },
        options: { _query: { ...query }, _body: {} },
        ...(body === undefined ? {} : { file: body }),
        abortSignal: limit.signal,
        isStream: true,
        statusCodes: EVERY_STATUS,
      },
      (error, response) => {
        if (response === null || error) reject(error ?? new Error("there was no answer"));
        else resolve(response);
      },
    );
  });
  try {
    return await limit.race(answer);
  } catch (error) {
    answer.then(
      (late) => late.destroy(),
      () => {},
    );
    throw error;
  }
}

/** The whole body; throws when it is longer than allowed. */
export async function readBody(response: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new Error(`the answer is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
