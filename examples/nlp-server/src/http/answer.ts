import type { OutgoingHttpHeaders, ServerResponse } from "node:http";

/** A whole answer, or one that is written piece by piece. */
export interface Answer {
  status: number;
  contentType: string;
  body: string | AsyncIterable<string>;
  headers?: OutgoingHttpHeaders;
}

const textType = "text/plain; charset=utf-8";
const jsonType = "application/json";
export const jsonTextType = "application/json; charset=utf-8";
export const jsonLinesType = "application/x-ndjson; charset=utf-8";
export const eventStreamType = "text/event-stream; charset=utf-8";
export const csvType = "text/csv; charset=utf-8";
export const metricsType = "text/plain; version=1.0.0; charset=utf-8";

export function json(status: number, value: unknown, headers?: OutgoingHttpHeaders): Answer {
  return { status, contentType: jsonType, body: JSON.stringify(value), ...(headers && { headers }) };
}

export function text(status: number, body: string): Answer {
  return { status, contentType: textType, body };
}

/** A file to be saved. As in CMS it is sent in chunks, unless it is `whole`. */
export function attachment(
  contentType: string,
  fileName: string,
  content: string,
  { whole = false }: { whole?: boolean } = {},
): Answer {
  const headers = { "content-disposition": `attachment ; filename="${fileName}"` };
  return { status: 200, contentType, body: whole ? content : inOnePiece(content), headers };
}

async function* inOnePiece(content: string): AsyncGenerator<string> {
  yield content;
}

/** An answer that is thrown, so that a refusal deep in a request needs no plumbing. */
export class Refusal extends Error {
  readonly answer: Answer;

  constructor(answer: Answer) {
    super(`The request is refused with status ${answer.status}.`);
    this.name = "Refusal";
    this.answer = answer;
  }
}

/** Thrown where the connection is to be broken in place of an answer, although the work was begun. */
export class ConnectionLost extends Error {
  constructor() {
    super("The connection is broken on purpose.");
    this.name = "ConnectionLost";
  }
}

/** Answers that CMS gives through FastAPI. */
export const notFound: Answer = json(404, { detail: "Not Found" });

export function methodNotAllowed(allow: string): Answer {
  return json(405, { detail: "Method Not Allowed" }, { allow });
}

export function message(status: number, sentence: string, headers?: OutgoingHttpHeaders): Answer {
  return json(status, { message: sentence }, headers);
}

export function busy(retryAfterSeconds = 1): Answer {
  const sentence = "The model is working on as many requests as it may. Please retry later.";
  return message(503, sentence, { "retry-after": String(retryAfterSeconds) });
}

/** Writes an answer. Resolves when it has been handed over, and rejects when the client is gone. */
export async function send(response: ServerResponse, answer: Answer): Promise<void> {
  const { status, contentType, body, headers } = answer;
  if (status === 204) {
    response.writeHead(status, headers).end();
    return;
  }
  if (typeof body === "string") {
    response.writeHead(status, {
      "content-type": contentType,
      "content-length": Buffer.byteLength(body),
      ...headers,
    });
    response.end(body);
    return;
  }
  response.writeHead(status, { "content-type": contentType, ...headers });
  response.flushHeaders();
  for await (const piece of body) {
    if (response.destroyed) return;
    if (!response.write(piece)) await drained(response);
  }
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
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

/** Promises the whole answer and sends half of it. It is for the caller to break the connection. */
export async function sendHalf(response: ServerResponse, answer: Answer): Promise<void> {
  let whole = "";
  if (typeof answer.body === "string") whole = answer.body;
  else for await (const piece of answer.body) whole += piece;
  const bytes = Buffer.from(whole);
  response.writeHead(answer.status, {
    "content-type": answer.contentType,
    "content-length": bytes.length,
    ...answer.headers,
  });
  await new Promise<void>((resolve) => {
    response.write(bytes.subarray(0, bytes.length >> 1), () => resolve());
  });
}
