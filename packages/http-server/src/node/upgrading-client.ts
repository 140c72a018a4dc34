import { type IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { pendingOn } from "./client-error.ts";

/** What a client may send before it is told that its connection speaks the other protocol; more waits in the socket. */
const MAX_EARLY_BYTES = 64 * 1024;

/**
 * The connection of a client that has asked for another protocol, which Node has let go of: until it is released, it can
 * be answered by HTTP as before, and it is closed when the client hangs up.
 */
export class UpgradingClient {
  readonly incoming: IncomingMessage;
  readonly response: ServerResponse;
  readonly socket: Socket;
  readonly #early: Buffer[];
  #earlyBytes: number;

  constructor(incoming: IncomingMessage, socket: Socket, head: Buffer) {
    this.incoming = incoming;
    this.socket = socket;
    this.#early = [head];
    this.#earlyBytes = head.byteLength;
    // What Node had set to the connection's idleness between two requests.
    socket.setTimeout(0);
    socket.on("error", () => {});
    this.response = new ServerResponse(incoming);
    this.response.assignSocket(socket);
    this.response.once("finish", () => socket.destroySoon());
    socket.on("drain", this.#onDrain);
    // Nobody's hanging up is noticed on a connection that is not read.
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
  }

  /** Leaves the connection to others; what has come of it since the request is given. */
  release(): Buffer {
    const { socket } = this;
    socket.pause();
    socket.off("drain", this.#onDrain);
    socket.off("data", this.#onData);
    socket.off("end", this.#onEnd);
    this.response.detachSocket(socket);
    return Buffer.concat(this.#early);
  }

  readonly #onDrain = (): void => void this.response.emit("drain");

  readonly #onData = (chunk: Buffer): void => {
    this.#early.push(chunk);
    this.#earlyBytes += chunk.byteLength;
    if (this.#earlyBytes > MAX_EARLY_BYTES) this.socket.pause();
  };

  readonly #onEnd = (): void => void this.socket.destroy();
}

/** Calls back once every request before this one on its connection has its answer. */
export function whenAnswered(socket: Duplex, callback: () => void): void {
  const pending = pendingOn(socket);
  if (pending === undefined) callback();
  else pending.once("close", () => whenAnswered(socket, callback));
}
