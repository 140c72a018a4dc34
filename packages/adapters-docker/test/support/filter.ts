import { once } from "node:events";
import { createServer, request, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unique } from "./test-engine.ts";

/** A proxy before an engine's socket that lets only some calls through, as careful people put there. */
export class Filter {
  readonly socketPath: string = join(tmpdir(), `${unique("filter")}.sock`);
  /** `GET /containers/json`, without version and query, in the order they came. */
  readonly calls: string[] = [];
  readonly refused: string[] = [];
  /** What `/_ping` claims instead of the truth, once. */
  claimedVersion: string | undefined;
  readonly #server: Server;

  constructor(target: string, isAllowed: (call: string) => boolean) {
    this.#server = createServer((incoming, outgoing) => {
      const path = (incoming.url ?? "").replace(/\?.*$/, "").replace(/^\/v[\d.]+\//, "/");
      const call = `${incoming.method} ${path}`;
      this.calls.push(call);
      if (!isAllowed(call)) {
        this.refused.push(call);
        outgoing.writeHead(403).end("forbidden");
        return;
      }
      const { method, url, headers } = incoming;
      const asked = request({ socketPath: target, method, path: url, headers }, (answer) => {
        const claimed = path === "/_ping" ? this.claimedVersion : undefined;
        if (claimed !== undefined) this.claimedVersion = undefined;
        outgoing.writeHead(answer.statusCode ?? 502, {
          ...answer.headers,
          ...(claimed === undefined ? {} : { "api-version": claimed }),
        });
        outgoing.flushHeaders();
        answer.pipe(outgoing);
      });
      asked.on("error", () => outgoing.destroy());
      outgoing.on("close", () => asked.destroy());
      incoming.pipe(asked);
    });
  }

  async open(): Promise<void> {
    this.#server.listen(this.socketPath);
    await once(this.#server, "listening");
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
