import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * - `passes`: as the MLflow behind it.
 * - `stopped`: nothing listens.
 * - `slow`: answers half a minute later.
 * - `page`: a page of HTML, as from something before it that wants a login.
 * - `refuses`: the password is wrong, as MLflow's basic authentication says it.
 */
export type Mood = "passes" | "stopped" | "slow" | "page" | "refuses";

const SLOW_MS = 30_000;

/** Stands before a real MLflow, at one address, and can be in a bad mood. */
export class MlflowProxy {
  mood: Mood = "passes";
  /** How many questions met a mood. */
  readonly asked: Record<Mood, number> = { passes: 0, stopped: 0, slow: 0, page: 0, refuses: 0 };
  readonly #target: URL;
  readonly #server = createServer((incoming, response) => this.#answer(incoming, response));
  readonly #timers = new Set<NodeJS.Timeout>();
  #port = 0;

  private constructor(target: string) {
    this.#target = new URL(target);
  }

  static async open(target: string): Promise<MlflowProxy> {
    const proxy = new MlflowProxy(target);
    await proxy.#listen();
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async turn(mood: Mood): Promise<void> {
    this.mood = mood;
    if (mood === "stopped") await this.#stop();
    else if (!this.#server.listening) await this.#listen();
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    await this.#stop();
  }

  async #listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async #stop(): Promise<void> {
    this.#server.closeAllConnections();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(incoming: IncomingMessage, response: ServerResponse): void {
    this.asked[this.mood] += 1;
    switch (this.mood) {
      case "slow": {
        const timer = setTimeout(() => this.#pass(incoming, response), SLOW_MS);
        this.#timers.add(timer);
        return;
      }
      case "page":
        response.writeHead(200, { "content-type": "text/html" }).end("<html><body>Sign in</body></html>");
        return;
      case "refuses":
        response.writeHead(401, { "www-authenticate": 'Basic realm="mlflow"' });
        response.end("You are not authenticated.");
        return;
      default:
        this.#pass(incoming, response);
    }
  }

  #pass(incoming: IncomingMessage, response: ServerResponse): void {
    const { hostname, port } = this.#target;
    const { url: path, method, headers } = incoming;
    const sent = request({ hostname, port, path, method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    sent.on("error", () => response.destroy());
    incoming.pipe(sent);
  }
}
