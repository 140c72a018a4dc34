import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { hasTooManyHeaders } from "./too-many-headers.ts";
import { whenAnswered } from "./upgrading-client.ts";

/**
 * Has a request answered as if it had not asked for another protocol, which is all that a server has to do that does not
 * want to. Java's client asks with its first request for HTTP/2, with a body too; Node, once somebody listens for
 * upgrades, makes every such request one, and there is no other way back.
 */
export function declineUpgrade(
  server: Server,
  incoming: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  // Headers that Node has left out may be the ones by which its body is told from the next request.
  if (hasTooManyHeaders(incoming)) return void socket.destroy();
  whenAnswered(socket, () => {
    if (socket.destroyed) return;
    socket.unshift(Buffer.concat([Buffer.from(headOf(incoming), "latin1"), head]));
    server.emit("connection", socket);
  });
}

function headOf({ method, url, httpVersion, rawHeaders }: IncomingMessage): string {
  let text = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    if (!/^upgrade$/i.test(rawHeaders[at] as string)) text += `${rawHeaders[at]}: ${rawHeaders[at + 1]}\r\n`;
  }
  return `${text}\r\n`;
}
