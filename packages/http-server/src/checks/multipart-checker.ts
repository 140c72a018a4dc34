import { MultipartFault } from "./multipart-fault.ts";
import { readPartHeaders } from "./part-headers.ts";

/** Largest head of one part. */
const MAX_HEAD_BYTES = 8 * 1024;
/** Most spaces that may follow a boundary on its line. */
const MAX_PADDING = 256;

const LINE_END = "\r\n";
const HEAD_END = "\r\n\r\n";

/**
 * Tells whether bytes that come in pieces are a multipart body, whole and with usable names. The bytes themselves go
 * their way untouched; what is held back here is at most the head of one part, or as much as a boundary is long.
 */
export class MultipartChecker {
  readonly #delimiter: Buffer;
  #state: "start" | "boundary" | "head" | "content" | "end" = "start";
  /** What could not be judged yet. */
  #rest: Buffer = Buffer.alloc(0);
  #part = 0;

  constructor(boundary: string) {
    this.#delimiter = Buffer.from(`${LINE_END}--${boundary}`, "latin1");
  }

  /** Throws a `MultipartFault` as soon as it is clear that something is wrong. */
  push(chunk: Uint8Array): void {
    // What follows the last boundary is nobody's.
    if (this.#state === "end") return;
    const bytes =
      this.#rest.byteLength === 0
        ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
        : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    for (;;) {
      const next = this.#step(bytes, at);
      if (next === undefined) break;
      at = next;
    }
    if (this.#state === "content") at = Math.max(at, bytes.byteLength - this.#delimiter.byteLength + 1);
    // A copy: the piece itself may be large, and its memory is not ours.
    this.#rest = Buffer.from(bytes.subarray(at));
  }

  /** Throws a `MultipartFault` when the body ended before its last boundary. */
  end(): void {
    if (this.#state === "end") return;
    // A form without anything in it.
    if (this.#state === "start" && this.#rest.byteLength === 0) return;
    if (this.#state === "start") throw notBegun();
    const where = this.#part === 0 ? "its first boundary" : `part ${this.#part}`;
    throw new MultipartFault(`it ends in ${where}, before its closing boundary`);
  }

  /** Goes on from `at`; gives where, or `undefined` when that takes more bytes. */
  #step(bytes: Buffer, at: number): number | undefined {
    switch (this.#state) {
      case "start":
        return this.#begin(bytes, at);
      case "boundary":
        return this.#afterBoundary(bytes, at);
      case "head":
        return this.#head(bytes, at);
      case "content": {
        const found = bytes.indexOf(this.#delimiter, at);
        if (found === -1) return undefined;
        this.#state = "boundary";
        return found + this.#delimiter.byteLength;
      }
      case "end":
        return undefined;
    }
  }

  /** The body begins with its boundary. Servers allow line ends before it, and no other preamble. */
  #begin(bytes: Buffer, at: number): number | undefined {
    let from = at;
    while (bytes[from] === 0x0d || bytes[from] === 0x0a) from += 1;
    const opening = this.#delimiter.subarray(LINE_END.length);
    const begun = bytes.subarray(from, from + opening.byteLength);
    if (!begun.equals(opening.subarray(0, begun.byteLength))) throw notBegun();
    if (begun.byteLength < opening.byteLength) return undefined;
    this.#state = "boundary";
    return from + opening.byteLength;
  }

  #afterBoundary(bytes: Buffer, at: number): number | undefined {
    if (bytes[at] === 0x2d && bytes[at + 1] === 0x2d) {
      this.#state = "end";
      return at + 2;
    }
    let from = at;
    while ((bytes[from] === 0x20 || bytes[from] === 0x09) && from - at < MAX_PADDING) from += 1;
    if (bytes[from] === 0x0d && bytes[from + 1] === 0x0a) {
      this.#state = "head";
      this.#part += 1;
      // The line's end may at once be the beginning of an empty head's.
      return from;
    }
    const isOpen = from + 1 >= bytes.byteLength && (bytes[from] ?? 0x0d) === 0x0d;
    if (isOpen || (at + 1 === bytes.byteLength && bytes[at] === 0x2d)) return undefined;
    // A line of a part's content that begins as the boundary does, and goes on otherwise.
    if (this.#part === 0) throw notBegun();
    this.#state = "content";
    return at;
  }

  #head(bytes: Buffer, at: number): number | undefined {
    const end = bytes.indexOf(HEAD_END, at);
    if ((end === -1 ? bytes.byteLength : end) - at > MAX_HEAD_BYTES) {
      throw new MultipartFault(`the head of part ${this.#part} is larger than ${MAX_HEAD_BYTES} bytes`);
    }
    if (end === -1) return undefined;
    readPartHeaders(
      bytes.toString("utf8", at + LINE_END.length, Math.max(end, at + LINE_END.length)),
      this.#part,
    );
    this.#state = "content";
    return end + HEAD_END.length;
  }
}

function notBegun(): MultipartFault {
  return new MultipartFault("it does not begin with the boundary that its content type names");
}
