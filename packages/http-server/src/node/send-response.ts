import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { ByteStream } from "@modelgate/core";
import type { ResponseView } from "../exchange.ts";
import { discard } from "../read-stream.ts";
import { hasTooManyHeaders } from "./too-many-headers.ts";

/** A rest of a request up to this size is received and dropped, so that the connection can be used again. */
const MAX_DROPPED_BYTES = 1024 * 1024;
/** How long a client that still sends is listened to, so that it finds the answer before the connection closes. */
const LINGER_MS = 1000;

/** Sends an answer; resolves when there is nothing left to do. Never rejects. */
export async function sendResponse(
  view: ResponseView,
  incoming: IncomingMessage,
  response: ServerResponse,
  isLast: boolean,
): Promise<void> {
  const { body } = view;
  const isWhole = typeof body === "string" || body instanceof Uint8Array;
  if (response.destroyed) {
    if (!isWhole) await letGo(body);
    return;
  }
  const closes = isLast || !response.shouldKeepAlive;
  const isRead = view.isDuplex === true && !closes && !incoming.complete;
  const lingers = !isRead && stillSends(incoming, closes);
  const extra: OutgoingHttpHeaders = {};
  if (isLast || lingers) extra["connection"] = "close";
  // What it would be for the whole, a 304 need not say, and for anything else it must not.
  if (view.status === 304) {
    writeHead(view, response, extra);
    response.end();
    if (!isWhole) await letGo(body);
    return;
  }
  // That a 204 has no body is known, and must not be said.
  if (isWhole && view.status !== 204) extra["content-length"] = Buffer.byteLength(body);
  else if (view.sizeBytes !== undefined) extra["content-length"] = view.sizeBytes;
  writeHead(view, response, extra);
  if (lingers) return sendAndLinger(view, incoming, response);
  if (isRead) return sendAndReceive(view, incoming, response);
  // What is left of a refused request stands before the next one.
  if (!incoming.complete) incoming.resume();
  if (isWhole) return void response.end(body);
  if (incoming.method === "HEAD") {
    response.end();
    return await letGo(body);
  }
  // Events may be far apart, and their reader wants to know at once that there is somebody.
  if (view.headerList !== undefined && view.sizeBytes === undefined) response.flushHeaders();
  if (await stream(body, response)) response.end();
}

/** A list goes out in its order: an object could hold no name twice. */
function writeHead(
  { status, headers, headerList }: ResponseView,
  response: ServerResponse,
  extra: OutgoingHttpHeaders,
): void {
  if (headerList === undefined) response.writeHead(status, { ...headers, ...extra });
  else {
    const all: string[] = [];
    for (const [name, value] of headerList) all.push(name, value);
    for (const [name, value] of Object.entries({ ...headers, ...extra })) all.push(name, String(value));
    response.writeHead(status, all);
  }
}

/** Whether the client sends more than is worth dropping, or anything at all on a connection that is to be closed. */
function stillSends(incoming: IncomingMessage, closes: boolean): boolean {
  if (incoming.complete || incoming.destroyed) return false;
  if (hasTooManyHeaders(incoming)) return true;
  const { "content-length": length, "transfer-encoding": encoding } = incoming.headers;
  return encoding !== undefined || Number(length ?? 0) > (closes ? 0 : MAX_DROPPED_BYTES);
}

/** Closing right after the answer would reset the connection under a client that has not read it yet. */
async function sendAndLinger(
  { body }: ResponseView,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // A write of nothing, as every one of an answer to HEAD, would not send the head either.
  response.flushHeaders();
  if (typeof body === "string" || body instanceof Uint8Array) response.write(body);
  else if (!(await stream(body, response))) return;
  await restOf(incoming);
  response.end();
}

/** For an answer that may end before the request does: what then still comes is nobody's, and is not listened to for long. */
async function sendAndReceive(
  { body }: ResponseView,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // Its client may wait for the head before it sends on.
  response.flushHeaders();
  if (typeof body === "string" || body instanceof Uint8Array) response.end(body);
  else if (await stream(body, response)) response.end();
  else return;
  await restOf(incoming);
  if (!incoming.complete) incoming.socket.destroy();
}

/** Drops what is left of a request; resolves when it has ended, or after some time. */
function restOf(incoming: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    if (incoming.complete) return resolve();
    const timer = setTimeout(resolve, LINGER_MS);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    incoming.once("end", done);
    incoming.once("close", done);
    incoming.on("error", done);
    incoming.resume();
  });
}

/** Writes `body` at the client's pace; resolves whether all of it was written. */
async function stream(body: ByteStream, response: ServerResponse): Promise<boolean> {
  const iterator = body[Symbol.asyncIterator]();
  const hangUp = (): void => void iterator.return?.()?.catch(() => {});
  response.once("close", hangUp);
  try {
    for (;;) {
      const next = await iterator.next();
      if (response.destroyed) return false;
      if (next.done === true) return true;
      if (!response.write(next.value)) await drainedOrClosed(response);
    }
  } catch {
    // The status is out, so a broken-off answer is all that can still tell the client.
    response.destroy();
    return false;
  } finally {
    response.off("close", hangUp);
  }
}

function drainedOrClosed(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.on("drain", done);
    response.on("close", done);
  });
}

async function letGo(body: ByteStream): Promise<void> {
  await discard(body).catch(() => {});
}
