import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * Stands before a model server and says which process answers, as a reverse proxy can. Without it a restart is noticed
 * by the server's own metrics, which takes up to a minute.
 */
export class MarkingProxy {
  port = 0;
  readonly #targetPort: number;
  readonly #mark: () => string;
  readonly #server = createServer({ keepAliveTimeout: 60_000 }, (incoming, response) => {
    const { url: path, method, headers } = incoming;
    const mark = this.#mark();
    const sent = request({ port: this.#targetPort, host: "127.0.0.1", path, method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, { ...answer.headers, "x-instance-id": mark });
      answer.pipe(response);
      answer.on("error", () => response.destroy());
    });
    // What the server does to a connection happens to the caller's, too.
    sent.on("error", () => incoming.socket.resetAndDestroy());
    response.on("close", () => sent.destroy());
    incoming.pipe(sent);
  });

  constructor(targetPort: number, mark: () => string) {
    this.#targetPort = targetPort;
    this.#mark = mark;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.port, "127.0.0.1", resolve));
    this.port = (this.#server.address() as AddressInfo).port;
  }

  /** Nobody is there any more, as when the server itself is gone. */
  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }
}
