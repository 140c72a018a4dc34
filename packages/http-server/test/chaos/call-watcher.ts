import type { ConnectionWatcher } from "./tcp-link.ts";

/** One request to a model server, as it passed by on the wire. */
export interface SeenCall {
  readonly call: number;
  readonly path: string;
  readonly query: URLSearchParams;
  /** The user name of its `Authorization`, by which each process of ours says which one it is. */
  readonly by: string;
}

/** What the caller was told in the end. */
export type CallEnding =
  | { readonly kind: "answered"; readonly status: number }
  /** The whole answer never reached it. */
  | { readonly kind: "broken"; readonly by: "client" | "server" | "cut" };

export interface CallListener {
  begun(call: SeenCall): void;
  ended(call: SeenCall, ending: CallEnding): void;
}

const HEAD_END = Buffer.from("\r\n\r\n");
let calls = 0;

/**
 * Follows the requests and answers of one HTTP/1.1 connection that carries one request at a time, which is how model
 * servers are called. It reads heads only: an answer that does not announce its length counts as broken off.
 */
export class CallWatcher implements ConnectionWatcher {
  readonly #listener: CallListener;
  #requestHead: Buffer | undefined = Buffer.alloc(0);
  #answerHead = Buffer.alloc(0);
  /** Of the answer under way; undefined until its head has passed. */
  #answer: { readonly status: number; bytesLeft: number } | undefined;
  #call: SeenCall | undefined;

  constructor(listener: CallListener) {
    this.#listener = listener;
  }

  sent(chunk: Uint8Array): void {
    // What follows the head is the body, until the answer has come.
    if (this.#requestHead === undefined) return;
    this.#requestHead = Buffer.concat([this.#requestHead, chunk]);
    const end = this.#requestHead.indexOf(HEAD_END);
    if (end === -1) return;
    const call = readRequest(this.#requestHead.subarray(0, end).toString("latin1"));
    this.#requestHead = undefined;
    this.#call = call;
    this.#listener.begun(call);
  }

  received(chunk: Uint8Array): void {
    let bytes = chunk.byteLength;
    if (this.#answer === undefined) {
      this.#answerHead = Buffer.concat([this.#answerHead, chunk]);
      const end = this.#answerHead.indexOf(HEAD_END);
      if (end === -1) return;
      bytes = this.#answerHead.byteLength - end - HEAD_END.byteLength;
      this.#answer = readAnswer(this.#answerHead.subarray(0, end).toString("latin1"));
      this.#answerHead = Buffer.alloc(0);
    }
    this.#answer.bytesLeft -= bytes;
    if (this.#answer.bytesLeft > 0) return;
    this.#end({ kind: "answered", status: this.#answer.status });
    this.#answer = undefined;
    this.#requestHead = Buffer.alloc(0);
  }

  closed(by: "client" | "server" | "cut"): void {
    this.#end({ kind: "broken", by });
  }

  #end(ending: CallEnding): void {
    const call = this.#call;
    this.#call = undefined;
    if (call !== undefined) this.#listener.ended(call, ending);
  }
}

function readRequest(head: string): SeenCall {
  const [first = "", ...lines] = head.split("\r\n");
  const target = first.split(" ")[1] ?? "/";
  const { pathname, searchParams } = new URL(target, "http://model");
  const credentials = /^Basic (.*)$/i.exec(headerOf(lines, "authorization") ?? "")?.[1] ?? "";
  const [by = ""] = Buffer.from(credentials, "base64").toString("utf8").split(":");
  calls += 1;
  return { call: calls, path: pathname, query: searchParams, by };
}

function readAnswer(head: string): { readonly status: number; bytesLeft: number } {
  const [first = "", ...lines] = head.split("\r\n");
  const length = headerOf(lines, "content-length");
  // Node's own answer to a request that broke off has none; it ends with its connection.
  return { status: Number(first.split(" ")[1]), bytesLeft: Number(length ?? Number.POSITIVE_INFINITY) };
}

function headerOf(lines: readonly string[], name: string): string | undefined {
  const line = lines.find((each) => each.toLowerCase().startsWith(`${name}:`));
  return line?.slice(name.length + 1).trim();
}
