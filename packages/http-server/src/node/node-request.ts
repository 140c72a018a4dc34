import type { IncomingMessage, ServerResponse } from "node:http";
import type { ByteStream, HeaderList } from "@modelgate/core";
import { BodyTaken, ClientGone, type RequestBody, type RequestView } from "../exchange.ts";
import { plainAddress } from "../plain-address.ts";
import { takeBody } from "../take-body.ts";
import type { Passage } from "./passage.ts";

/** A request as node:http has it. */
export class NodeRequestView implements RequestView, RequestBody {
  readonly query: string;
  readonly mountPath: string;
  readonly announcedBytes: number | undefined;
  readonly canUpgrade: boolean;
  readonly #incoming: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #awaitsContinue: boolean;

  constructor(
    incoming: IncomingMessage,
    response: ServerResponse,
    query: string,
    { mountPath, awaitsContinue, canUpgrade = false }: Omit<Passage, "next">,
  ) {
    this.query = query;
    this.mountPath = mountPath;
    this.canUpgrade = canUpgrade;
    this.announcedBytes = announcedBytes(incoming);
    this.#incoming = incoming;
    this.#response = response;
    this.#awaitsContinue = awaitsContinue;
  }

  get body(): RequestBody {
    return this;
  }

  get method(): string {
    return this.#incoming.method ?? "";
  }

  get clientAddress(): string | undefined {
    return plainAddress(this.#incoming.socket.remoteAddress);
  }

  header(name: string): string | undefined {
    const value = this.#incoming.headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  }

  headers(): HeaderList {
    const { rawHeaders } = this.#incoming;
    const headers: [string, string][] = [];
    for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
      headers.push([rawHeaders[at] as string, rawHeaders[at + 1] as string]);
    }
    return headers;
  }

  onHangUp = (callback: () => void): (() => void) => {
    const response = this.#response;
    if (response.destroyed) callback();
    response.once("close", callback);
    return () => response.off("close", callback);
  };

  async take(wholeBytes: number): Promise<Uint8Array | ByteStream> {
    if (this.announcedBytes === 0) return new Uint8Array();
    if (this.#incoming.readableDidRead) throw new BodyTaken();
    if (this.#awaitsContinue) this.#response.writeContinue();
    if (this.announcedBytes !== undefined && this.announcedBytes <= wholeBytes) {
      return readWhole(this.#incoming);
    }
    return takeBody(chunksOf(this.#incoming), wholeBytes);
  }

  async *stream(): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.announcedBytes === 0) return;
    if (this.#incoming.readableDidRead) throw new BodyTaken();
    if (this.#awaitsContinue) this.#response.writeContinue();
    yield* chunksOf(this.#incoming);
  }
}

function announcedBytes(incoming: IncomingMessage): number | undefined {
  const { "content-length": length, "transfer-encoding": encoding } = incoming.headers;
  if (encoding !== undefined) return undefined;
  return length === undefined ? 0 : Number(length);
}

/** By events: for a body that mostly comes in one piece, an iterator costs more than the reading. */
function readWhole(incoming: IncomingMessage): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    const gone = (): void => {
      // A close also follows every good end, where an error would be made for nobody.
      if (!incoming.readableEnded) reject(new ClientGone());
    };
    incoming.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    incoming.once("end", () =>
      resolve(chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks)),
    );
    incoming.once("error", gone);
    incoming.once("close", gone);
    if (incoming.destroyed) gone();
  });
}

/** Left early, the request stays open, because it is still to be answered. */
async function* chunksOf(incoming: IncomingMessage): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const chunk of incoming.iterator({ destroyOnReturn: false })) yield chunk as Uint8Array;
  } catch {
    throw new ClientGone();
  }
}
