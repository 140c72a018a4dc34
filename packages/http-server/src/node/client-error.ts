import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { methodNotAllowed, problem } from "../answers.ts";
import type { ResponseView } from "../exchange.ts";

/** How long a connection stays open for reading after its last answer: closed at once, it would take that with it. */
const LINGER_MS = 1000;

const ending = new WeakSet<Duplex>();

/** Answers what Node refuses before it is a request, in the words and the form of every other error. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  // What still comes in is no HTTP either.
  if (ending.has(socket)) return;
  ending.add(socket);
  answerInTurn(error.code, socket);
}

function answerInTurn(code: string | undefined, socket: Duplex): void {
  const pending = pendingOn(socket);
  if (pending?.req.complete === true) {
    // What came before it was a whole request, perhaps a task that is accepted: its answer goes first.
    pending.once("close", () => answerInTurn(code, socket));
  } else if (!socket.writable || code === "ECONNRESET") socket.destroy();
  // Into an answer that has begun, no other one must be written.
  else end(socket, pending?.headersSent === true ? undefined : viewOf(code));
}

/** A tunnel is nothing that the gateway has; Node gives the bare connection of whoever asks for one. */
export function refuseConnect(_incoming: IncomingMessage, socket: Duplex): void {
  end(socket, methodNotAllowed([]));
}

function end(socket: Duplex, view: ResponseView | undefined): void {
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(timer));
  socket.once("end", () => socket.destroy());
  socket.on("error", () => {});
  socket.resume();
  if (view === undefined) socket.end();
  else socket.end(textOf(view));
}

/** The answer that this connection is waiting for. Node's own handler looks there too; there is no public way. */
export function pendingOn(socket: Duplex): ServerResponse | undefined {
  return (socket as { _httpMessage?: ServerResponse | null })._httpMessage ?? undefined;
}

function viewOf(code: string | undefined): ResponseView {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return problem(431, "The headers of the request are larger than allowed.");
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return problem(413, "The chunk extensions of the body are larger than allowed.");
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return problem(408, "The request did not come within the time that it has.");
    default:
      return problem(400, "The request is not HTTP that can be understood.");
  }
}

function textOf({ status, headers, body }: ResponseView): string {
  const length = Buffer.byteLength(String(body));
  const lines = Object.entries({ ...headers, "content-length": length, connection: "close" });
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("")}\r\n${String(body)}`;
}
