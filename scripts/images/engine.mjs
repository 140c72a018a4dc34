// Calls to a Docker Engine over its socket, as few as scripts and tests of the engine itself need. The adapter under test
// has a client of its own, which must not vouch for itself.

import { request } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

const limitMs = 60_000;

/** An engine whose answer was an error; `status` is that of the answer. */
class EngineRefusal extends Error {
  constructor(status, message) {
    super(`the engine answered ${status}: ${message}`);
    this.status = status;
  }
}

/**
 * Calls the engine at `socketPath`, or at `origin` with the `tls` of node:https. `body` is a stream, a text, bytes, or
 * anything else for JSON. Resolves to `{ status, headers, bytes, json }`, and rejects where the status is an error or
 * where an answer of progress has one within.
 */
export async function callEngine(
  socketPath,
  path,
  { method = "GET", body, headers = {}, withinMs = limitMs } = {},
) {
  const signal = AbortSignal.timeout(withinMs);
  const content = contentOf(body);
  const sent = request({
    socketPath,
    path,
    method,
    headers: { ...content.headers, ...headers },
    signal,
    agent: false,
  });
  const answered = new Promise((settle, fail) => {
    sent.once("response", settle);
    sent.on("error", fail);
  });
  // What goes wrong while it is sent is told by the answer, or by the request's own error.
  pipeline(content.stream, sent).catch(() => {});
  const answer = await answered;
  const bytes = Buffer.concat(await answer.toArray());
  const status = answer.statusCode;
  if (status >= 400) throw new EngineRefusal(status, messageOf(bytes));
  const failure = /"errorDetail":\{.*?"message":"((?:[^"\\]|\\.)*)"/.exec(bytes.toString("utf8"));
  if (failure !== null) throw new EngineRefusal(status, JSON.parse(`"${failure[1]}"`));
  return { status, headers: answer.headers, bytes, json: () => JSON.parse(bytes.toString("utf8")) };
}

function contentOf(body) {
  if (body === undefined) return { stream: Readable.from([]), headers: { "content-length": "0" } };
  if (body instanceof Readable) return { stream: body, headers: { "content-type": "application/x-tar" } };
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  const type = Buffer.isBuffer(body) ? "application/x-tar" : "application/json";
  const headers = { "content-type": type, "content-length": String(bytes.length) };
  return { stream: Readable.from([bytes]), headers };
}

function messageOf(bytes) {
  const text = bytes.toString("utf8");
  try {
    return JSON.parse(text).message ?? text;
  } catch {
    return text;
  }
}

/**
 * The value of `X-Registry-Auth`: base64 of the kind for addresses, with its padding. Docker 20.10 takes what it cannot
 * decode, such as Node's "base64url" without padding, for no credentials at all.
 */
export function registryAuth({ username, password, serveraddress }) {
  const text = JSON.stringify({ username, password, serveraddress });
  return Buffer.from(text).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
}
