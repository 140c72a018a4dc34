import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { text } from "node:stream/consumers";

/** What becomes of a request; `undefined` lets it through. */
export type Disturbance = (
  request: IncomingMessage,
  response: ServerResponse,
) => "passed" | "done" | Promise<"passed" | "done">;

/** Stands before a real server, counts, and does what proxies, login pages and bad networks do. */
export class Between {
  readonly paths: string[] = [];
  disturb: Disturbance = () => "passed";
  /** Changes what the server is asked for. */
  rewrite: ((path: string, body: string) => readonly [path: string, body: string]) | undefined;
  /** Most that were on their way at once. */
  most = 0;
  #now = 0;
  readonly #target: URL;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #port = 0;

  private constructor(target: string) {
    this.#target = new URL(target);
    this.#server = createServer((incoming, response) => {
      this.#now += 1;
      this.most = Math.max(this.most, this.#now);
      response.once("close", () => {
        this.#now -= 1;
      });
      this.paths.push(incoming.url ?? "");
      void this.#handle(incoming, response);
    });
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  static async open(target: string): Promise<Between> {
    const proxy = new Between(target);
    await proxy.listen();
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Nobody listens any more, and every connection is gone. */
  async cut(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    if ((await this.disturb(incoming, response)) === "done") return;
    const { method, url = "" } = incoming;
    const { hostname, port } = this.#target;
    const [path, body] = this.rewrite?.(url, await text(incoming)) ?? [url];
    const { "content-length": length, ...others } = incoming.headers;
    const size = body === undefined ? length : String(Buffer.byteLength(body));
    const headers = { ...others, ...(size !== undefined && { "content-length": size }) };
    const onward = request({ hostname, port, method, path, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.once("error", () => response.destroy());
    response.once("close", () => onward.destroy());
    if (body === undefined) incoming.pipe(onward);
    else onward.end(body);
  }
}
