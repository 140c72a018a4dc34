import type { LogLine } from "@modelgate/core";
import { SecretMask } from "./secret-mask.ts";

/** A longer line comes in pieces, so that a server that never ends one cannot fill the memory. */
const LONGEST_LINE = 65_536;
const HEADER_BYTES = 8;

/** A piece of what a server wrote. */
export interface LogFrame {
  readonly stream: LogLine["stream"];
  readonly bytes: Uint8Array;
}

/**
 * Takes the engine's log apart: a header of 8 bytes, `[1 or 2, 0, 0, 0, length as 32 bits]`, before each piece. Headers
 * and pieces are cut anywhere by the network. A piece is handed on as it comes, without waiting for its end, so that
 * one that says it has 4 GiB takes no memory.
 */
export async function* logFrames(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<LogFrame> {
  const header = Buffer.alloc(HEADER_BYTES);
  let headerBytes = 0;
  let leftBytes = 0;
  for await (const chunk of chunks) {
    let at = 0;
    while (at < chunk.byteLength) {
      if (leftBytes === 0) {
        const taken = Math.min(HEADER_BYTES - headerBytes, chunk.byteLength - at);
        header.set(chunk.subarray(at, at + taken), headerBytes);
        headerBytes += taken;
        at += taken;
        if (headerBytes < HEADER_BYTES) break;
        headerBytes = 0;
        leftBytes = header.readUInt32BE(4);
        continue;
      }
      const taken = Math.min(leftBytes, chunk.byteLength - at);
      yield { stream: header[0] === 2 ? "stderr" : "stdout", bytes: chunk.subarray(at, at + taken) };
      leftBytes -= taken;
      at += taken;
    }
  }
}

/** Lines of both streams, each in its own order, with every secret replaced. An unfinished last line counts as one. */
export async function* logLines(
  frames: AsyncIterable<LogFrame>,
  secrets: readonly string[],
  longestLine: number = LONGEST_LINE,
): AsyncGenerator<LogLine> {
  const splitters = new Map<LogLine["stream"], LineSplitter>();
  for await (const { stream, bytes } of frames) {
    let splitter = splitters.get(stream);
    if (splitter === undefined) {
      splitter = new LineSplitter(secrets, longestLine);
      splitters.set(stream, splitter);
    }
    for (const text of splitter.push(bytes)) yield { stream, text };
  }
  for (const [stream, splitter] of splitters) for (const text of splitter.end()) yield { stream, text };
}

class LineSplitter {
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  readonly #mask: SecretMask;
  readonly #longestLine: number;
  #unfinished = "";

  constructor(secrets: readonly string[], longestLine: number) {
    this.#mask = new SecretMask(secrets);
    this.#longestLine = longestLine;
  }

  push(bytes: Uint8Array): readonly string[] {
    return this.#split(this.#mask.push(this.#decoder.decode(bytes, { stream: true })));
  }

  end(): readonly string[] {
    const lines = this.#split(this.#mask.push(this.#decoder.decode()) + this.#mask.end());
    return this.#unfinished === "" ? lines : [...lines, this.#unfinished];
  }

  #split(text: string): string[] {
    const parts = (this.#unfinished + text).split("\n");
    let rest = parts.pop() ?? "";
    const lines: string[] = [];
    for (const part of parts) lines.push(...this.#pieces(part.endsWith("\r") ? part.slice(0, -1) : part));
    while (rest.length > this.#longestLine) {
      const cut = this.#cutAt(rest);
      lines.push(rest.slice(0, cut));
      rest = rest.slice(cut);
    }
    this.#unfinished = rest;
    return lines;
  }

  #pieces(line: string): readonly string[] {
    const pieces: string[] = [];
    let rest = line;
    while (rest.length > this.#longestLine) {
      const cut = this.#cutAt(rest);
      pieces.push(rest.slice(0, cut));
      rest = rest.slice(cut);
    }
    return [...pieces, rest];
  }

  /** Never between the halves of a surrogate pair. */
  #cutAt(text: string): number {
    const last = text.charCodeAt(this.#longestLine - 1);
    return last >= 0xd800 && last <= 0xdbff ? this.#longestLine - 1 : this.#longestLine;
  }
}
