import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Answer } from "../http/answer.ts";

/** What RFC 6455 appends to the client's key. */
const keySuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** Whether a request asks for a WebSocket, in the way and version that there is. */
export function asksForWebSocket({ method, headers }: IncomingMessage): boolean {
  const key = headers["sec-websocket-key"] ?? "";
  return (
    method === "GET" &&
    headers.upgrade?.toLowerCase() === "websocket" &&
    headers["sec-websocket-version"] === "13" &&
    Buffer.from(key, "base64").length === 16
  );
}

export function acceptWebSocket(request: IncomingMessage, socket: Duplex): void {
  const key = request.headers["sec-websocket-key"] ?? "";
  const accept = createHash("sha1")
    .update(key + keySuffix)
    .digest("base64");
  socket.write(
    [
      "HTTP/1.1 101 Switching Protocols",
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Accept: ${accept}`,
      "\r\n",
    ].join("\r\n"),
  );
}

const reasons: Readonly<Record<number, string>> = {
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  503: "Service Unavailable",
};

/** Answers in HTTP a request that Node has handed over with its connection, and closes that. */
export function refuseUpgrade(socket: Duplex, { status, contentType, body }: Answer): void {
  const text = typeof body === "string" ? body : "";
  const head = [
    `HTTP/1.1 ${status} ${reasons[status] ?? "Refused"}`,
    `Content-Type: ${contentType}`,
    `Content-Length: ${Buffer.byteLength(text)}`,
    "Connection: close",
    "\r\n",
  ];
  socket.end(head.join("\r\n") + text);
}
