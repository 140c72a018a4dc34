import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";

/** What is done to a request instead of handing it on and its answer back. */
export type Fault =
  /** Answers itself, as S3 does. */
  | { readonly act: "refuse"; readonly status: number; readonly code: string }
  /** Answers itself, with 200. */
  | { readonly act: "answer"; readonly text: string }
  /** Hands it on, and breaks the connection when the answer comes. */
  | { readonly act: "lose-reply" }
  /** Breaks the connection once so much of the request's body, or of the answer's, went through. */
  | { readonly act: "cut-upload" | "cut-download"; readonly afterBytes: number }
  /** The same, but nothing moves any more. */
  | { readonly act: "stall-download"; readonly afterBytes: number }
  /** Says something that is no HTTP. */
  | { readonly act: "babble"; readonly text: string }
  /** Never answers. */
  | { readonly act: "stall" }
  /** Changes one byte of the body on its way to the server. */
  | { readonly act: "corrupt" };

/** A request that came through. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
}

/** Stands between a store and a real server, and breaks what it is told to. */
export class FaultyProxy {
  readonly seen: Seen[] = [];
  /** Connections that it was ever opened, and those that are open. */
  connections = 0;
  readonly #server: Server;
  readonly #target: URL;
  readonly #sockets = new Set<Socket>();
  readonly #plans: { readonly matches: RegExp; left: number; readonly fault: Fault }[] = [];
  /** Added to the server's clock in its answers. */
  shiftMs = 0;
  /** Awaited before a request goes on. */
  onRequest: ((line: string) => Promise<void>) | undefined;
  /** Changes the text of answers. */
  onAnswer: ((text: string) => string) | undefined;

  static async start(target: string): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(new URL(target));
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  private constructor(target: URL) {
    this.#target = target;
    this.#server = createServer((incoming, outgoing) => void this.#handle(incoming, outgoing));
    this.#server.on("connection", (socket) => {
      this.connections += 1;
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get openConnections(): number {
    return this.#sockets.size;
  }

  /** Applies to the next requests whose `METHOD url` matches. */
  fail(matches: RegExp, fault: Fault, times: number = 1): void {
    this.#plans.push({ matches, left: times, fault });
  }

  /** What was seen, as `METHOD url`. */
  requests(matches: RegExp): string[] {
    return this.seen.map(({ method, url }) => `${method} ${url}`).filter((line) => matches.test(line));
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = "", url = "", headers } = incoming;
    this.seen.push({ method, url, headers });
    await this.onRequest?.(`${method} ${url}`);
    const plan = this.#plans.find(({ matches, left }) => left > 0 && matches.test(`${method} ${url}`));
    if (plan !== undefined) plan.left -= 1;
    const fault = plan?.fault;
    if (fault?.act === "stall") return;
    if (fault?.act === "babble") return void incoming.socket.end(fault.text);
    if (fault?.act === "refuse" || fault?.act === "answer") {
      const isRefusal = fault.act === "refuse";
      incoming.resume();
      incoming.on("end", () => {
        const date = new Date(Date.now() + this.shiftMs).toUTCString();
        outgoing.writeHead(isRefusal ? fault.status : 200, { "content-type": "application/xml", date });
        const answer = isRefusal ? `<Error><Code>${fault.code}</Code></Error>` : fault.text;
        outgoing.end(method === "HEAD" ? "" : answer);
      });
      return;
    }
    const { hostname, port } = this.#target;
    const forward = request({ host: hostname, port, method, path: url, headers });
    const cut = (): void => {
      incoming.socket.destroy();
      forward.destroy();
    };
    forward.on("error", cut);
    outgoing.on("close", () => forward.destroy());
    const up = fault?.act === "cut-upload" ? { afterBytes: fault.afterBytes, act: cut } : undefined;
    transfer(incoming, forward, up, fault?.act === "corrupt");
    forward.on("response", (response) => {
      if (fault?.act === "lose-reply") return cut();
      const date = new Date(Date.parse(response.headers.date ?? "") + this.shiftMs).toUTCString();
      const head = { ...response.headers, date };
      const { onAnswer } = this;
      if (onAnswer !== undefined) {
        void text(response).then((whole) => {
          const changed = onAnswer(whole);
          const { "transfer-encoding": _, ...others } = head;
          const length = Buffer.byteLength(changed);
          outgoing.writeHead(response.statusCode ?? 0, { ...others, "content-length": length });
          outgoing.end(changed);
        });
        return;
      }
      outgoing.writeHead(response.statusCode ?? 0, head);
      const isStall = fault?.act === "stall-download";
      const isCut = fault?.act === "cut-download" || isStall;
      const down = isCut ? { afterBytes: fault.afterBytes, act: isStall ? () => {} : cut } : undefined;
      transfer(response, outgoing, down);
    });
  }
}

/** Pipes; after so many bytes it does something else. */
function transfer(
  from: Readable,
  to: Writable,
  stop?: { readonly afterBytes: number; readonly act: () => void } | undefined,
  corrupts: boolean = false,
): void {
  let passed = 0;
  let isStopped = false;
  from.on("error", () => to.destroy());
  from.on("data", (piece: Buffer) => {
    if (isStopped) return;
    const left = stop === undefined ? piece.length : stop.afterBytes - passed;
    const part = Buffer.from(piece.subarray(0, left));
    if (corrupts && passed === 0) part[0] = (part[0] ?? 0) ^ 1;
    passed += part.length;
    if (!to.write(part)) {
      from.pause();
      to.once("drain", () => from.resume());
    }
    if (left <= piece.length && stop !== undefined) {
      isStopped = true;
      from.pause();
      // What was written is to arrive first.
      setTimeout(stop.act, 50);
    }
  });
  from.on("end", () => {
    if (!isStopped) to.end();
  });
}
