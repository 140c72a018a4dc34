import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { Pipe, type Weather } from "./pipe.ts";

/** Sees what passes over one connection, at the client's end. */
export interface ConnectionWatcher {
  /** The client has sent it; it may still be on its way. */
  sent(chunk: Uint8Array): void;
  /** It was handed to the client. */
  received(chunk: Uint8Array): void;
  /** The client hung up, the server did, or the link was cut. */
  closed(by: "client" | "server" | "cut"): void;
}

export interface TcpLinkOptions {
  readonly name: string;
  readonly target: { readonly host: string; readonly port: number };
  readonly watch?: (() => ConnectionWatcher) | undefined;
}

interface Connection {
  readonly client: Socket;
  readonly server: Socket;
  readonly pipes: readonly Pipe[];
  close(by: "client" | "server" | "cut"): void;
}

/**
 * A stretch of network that can be bad: an address in front of a service. It can be slow or narrow, reset its
 * connections, let them stand while nothing passes, and refuse new ones as a machine does on which nobody listens.
 */
export class TcpLink {
  readonly name: string;
  readonly #options: TcpLinkOptions;
  readonly #server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
  readonly #connections = new Set<Connection>();
  readonly #weather: Weather = { delayMs: 0, bytesPerSecond: undefined, isStalled: false };
  #port = 0;
  /** When connections were broken off, whoever did it. What was just being sent on them nobody may have seen. */
  readonly breaks: number[] = [];
  /** How many connections `cut` has reset. */
  resets = 0;

  constructor(options: TcpLinkOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get port(): number {
    return this.#port;
  }

  get openConnections(): number {
    return this.#connections.size;
  }

  /** Takes connections, always at the same port once it had one. */
  async open(): Promise<void> {
    if (this.#server.listening) return;
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Refuses new connections and resets those that stand, as the end of the service itself would. */
  refuse(): void {
    // What had connected and was not taken up yet is broken off as well.
    this.breaks.push(Date.now());
    if (this.#server.listening) this.#server.close();
    this.cut();
  }

  cut(): void {
    for (const connection of this.#connections) {
      this.resets += 1;
      connection.close("cut");
    }
  }

  change(weather: Partial<Weather>): void {
    Object.assign(this.#weather, weather);
    for (const { pipes } of this.#connections) for (const pipe of pipes) pipe.pump();
  }

  heal(): void {
    this.change({ delayMs: 0, bytesPerSecond: undefined, isStalled: false });
  }

  close(): void {
    this.refuse();
  }

  #accept(client: Socket): void {
    const { target, watch } = this.#options;
    const watcher = watch?.();
    // Nothing is read before the other end is there, so that what is sent to nobody is not taken for sent.
    client.pause();
    const server = connect({ ...target, allowHalfOpen: true, noDelay: true });
    const up = new Pipe(client, server, this.#weather, { onArrival: (chunk) => watcher?.sent(chunk) });
    const down = new Pipe(server, client, this.#weather, { onDelivery: (chunk) => watcher?.received(chunk) });
    let isClosed = false;
    const connection: Connection = {
      client,
      server,
      pipes: [up, down],
      close: (by) => {
        if (isClosed) return;
        isClosed = true;
        if (by !== "client") this.breaks.push(Date.now());
        watcher?.closed(by);
        this.#connections.delete(connection);
        for (const pipe of connection.pipes) pipe.stop();
        for (const socket of [client, server]) reset(socket);
      },
    };
    this.#connections.add(connection);
    const gone = (socket: Socket, pipe: Pipe, by: "client" | "server"): void => {
      socket.on("error", () => {});
      // What had arrived before an end is still delivered, and the end after it.
      socket.once("close", (hadError) => {
        if (by === "client") watcher?.closed(by);
        pipe.end(() => (hadError || socket.readableEnded === false ? connection.close(by) : undefined));
        if (client.destroyed && server.destroyed) connection.close(by);
      });
    };
    gone(client, up, "client");
    gone(server, down, "server");
    server.once("connect", () => up.start());
    down.start();
  }
}

/** A socket that is shutting down cannot be reset: libuv refuses it, and Node 20 then never lets go of the socket. */
function reset(socket: Socket): void {
  if (socket.destroyed) return;
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
