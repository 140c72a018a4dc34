import { type ClientRequest, type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { ByteStream } from "@modelgate/core";

/** A body to be sent. */
export interface UploadBody {
  readonly bytes: ByteStream;
  /** Absent when it is not known before the end, as with a pipe. */
  readonly sizeBytes?: number | undefined;
}

export interface OutgoingRequest {
  /** Names the host. */
  readonly url: URL;
  /** Path and query, which are sent as they are. */
  readonly target: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: UploadBody | undefined;
  /** How long nothing may happen on the connection before there is an answer. */
  readonly idleMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Bodies from this size on are sent only once the gateway asks for them, so that it can refuse before. */
const ASK_FIRST_BYTES = 256 * 1024;
/** A proxy may know nothing of asking first. */
const ASK_TIMEOUT_MS = 1_000;

/**
 * Sends one request. An answer that comes before the body was sent ends the sending. Rejects with the error of the
 * connection, `signal.reason`, or what reading the body threw. By node:http, for which a command starts at once, and
 * which sends a query as it is.
 */
export function sendRequest(outgoing: OutgoingRequest): Promise<IncomingMessage> {
  const { url, target: path, method, body, idleMs, signal } = outgoing;
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const send = url.protocol === "https:" ? requestHttps : requestHttp;
    const headers = headersOf(outgoing);
    const request = send(url, { path, method, headers, agent: false, ...(signal && { signal }) });
    let isAnswered = false;
    request.on("response", (response) => {
      isAnswered = true;
      // From now on it is the reader who sets the pace, and who may be a person.
      request.setTimeout(0);
      resolve(response);
    });
    request.on("error", (error) => reject(signal?.aborted === true ? signal.reason : error));
    request.setTimeout(idleMs, () => {
      const late = new Error(`nothing came for ${idleMs / 1000} s`) as NodeJS.ErrnoException;
      late.code = "ETIMEDOUT";
      request.destroy(late);
    });
    if (body === undefined) {
      request.end();
      return;
    }
    upload(request, body, () => isAnswered).catch((error: unknown) => {
      reject(error);
      request.destroy();
    });
  });
}

function headersOf({ headers, body }: OutgoingRequest): Record<string, string> {
  const sent: Record<string, string> = { ...headers };
  if (body === undefined) return sent;
  if (body.sizeBytes === undefined) sent["transfer-encoding"] = "chunked";
  else sent["content-length"] = String(body.sizeBytes);
  if (asksFirst(body)) sent["expect"] = "100-continue";
  return sent;
}

function asksFirst({ sizeBytes = Number.POSITIVE_INFINITY }: UploadBody): boolean {
  return sizeBytes >= ASK_FIRST_BYTES;
}

async function upload(request: ClientRequest, body: UploadBody, isAnswered: () => boolean): Promise<void> {
  if (asksFirst(body)) {
    request.flushHeaders();
    await event(request, ["continue", "response", "close"], ASK_TIMEOUT_MS);
  }
  for await (const chunk of body.bytes) {
    if (isAnswered() || request.destroyed) return;
    if (!request.write(chunk)) await event(request, ["drain", "response", "close"]);
  }
  if (!isAnswered()) request.end();
}

/** Resolves at the first of these events, or when the time is over. */
function event(request: ClientRequest, names: readonly string[], timeoutMs?: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = timeoutMs === undefined ? undefined : setTimeout(done, timeoutMs);
    function done(): void {
      clearTimeout(timer);
      for (const name of names) request.off(name, done);
      resolve();
    }
    for (const name of names) request.on(name, done);
  });
}
