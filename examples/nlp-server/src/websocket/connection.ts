import { isUtf8 } from "node:buffer";
import type { Duplex } from "node:stream";
import {
  closeCodeIn,
  closeCodes,
  closePayload,
  FrameError,
  FrameReader,
  frameOf,
  MessageAssembler,
  opcodes,
} from "./frames.ts";

export interface ConnectionOptions {
  /** The longest message. */
  largestBytes: number;
  /** After how long without a message the connection is closed. */
  idleMs: number;
  /** Called with one text at a time; what it resolves to is the answer, if anything. */
  onText(text: string): Promise<string | undefined>;
}

/** How many texts may wait for the model; whoever sends more has to wait. */
const mostWaiting = 16;
/** How long the other side has to answer a close frame. */
const closeMs = 1_000;

/** A WebSocket after its handshake, as a server of texts: each is answered before the next is read. */
export class WebSocketConnection {
  readonly #socket: Duplex;
  readonly #options: ConnectionOptions;
  readonly #reader: FrameReader;
  readonly #messages: MessageAssembler;
  #idle: NodeJS.Timeout;
  #isClosing = false;
  #waiting = 0;
  #work: Promise<void> = Promise.resolve();

  constructor(socket: Duplex, head: Buffer, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#reader = new FrameReader(options.largestBytes);
    this.#messages = new MessageAssembler(options.largestBytes);
    this.#idle = this.#startIdle();
    socket.on("error", () => socket.destroy());
    socket.on("close", () => clearTimeout(this.#idle));
    socket.on("end", () => socket.end());
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    if (head.length > 0) this.#receive(head);
  }

  /** Says goodbye and hangs up, at the latest when the other side did not answer that. */
  close(code: number): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    clearTimeout(this.#idle);
    if (this.#socket.destroyed) return;
    this.#socket.write(frameOf(opcodes.close, closePayload(code)));
    const deadline = setTimeout(() => this.#socket.destroy(), closeMs);
    this.#socket.once("close", () => clearTimeout(deadline));
  }

  /** Hangs up without a word. */
  destroy(): void {
    this.#isClosing = true;
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    try {
      for (const frame of this.#reader.push(chunk)) {
        const message = this.#messages.push(frame);
        if (message) this.#take(message.opcode, message.payload);
      }
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.close(error.code);
      // Nothing that follows could be understood.
      this.#socket.removeAllListeners("data");
      this.#socket.resume();
      this.#socket.end();
    }
  }

  #take(opcode: number, payload: Buffer): void {
    if (opcode === opcodes.close) this.#takeClose(payload);
    else if (this.#isClosing) return;
    else if (opcode === opcodes.ping) this.#socket.write(frameOf(opcodes.pong, payload));
    else if (opcode === opcodes.binary) throw new FrameError(closeCodes.unsupportedData, "Send texts.");
    else if (opcode === opcodes.text) this.#takeText(payload);
  }

  #takeClose(payload: Buffer): void {
    const code = closeCodeIn(payload);
    if (!this.#isClosing) this.#socket.write(frameOf(opcodes.close, closePayload(code)));
    this.#isClosing = true;
    this.#socket.end();
  }

  #takeText(payload: Buffer): void {
    if (!isUtf8(payload)) throw new FrameError(closeCodes.invalidData, "A text is UTF-8.");
    clearTimeout(this.#idle);
    this.#waiting += 1;
    if (this.#waiting >= mostWaiting) this.#socket.pause();
    this.#work = this.#work.then(async () => {
      await this.#answer(payload.toString("utf8"));
      this.#waiting -= 1;
      this.#socket.resume();
      if (!this.#isClosing && this.#waiting === 0) this.#idle = this.#startIdle();
    });
  }

  async #answer(text: string): Promise<void> {
    if (this.#isClosing) return;
    let answer: string | undefined;
    try {
      answer = await this.#options.onText(text);
    } catch {
      // The error may quote the text.
      answer = "ERROR: The model failed on this text.";
    }
    if (answer === undefined || this.#isClosing || this.#socket.destroyed) return;
    if (this.#socket.write(frameOf(opcodes.text, Buffer.from(answer)))) return;
    await new Promise<void>((resolve) => {
      this.#socket.once("drain", resolve);
      this.#socket.once("close", resolve);
    });
  }

  #startIdle(): NodeJS.Timeout {
    clearTimeout(this.#idle);
    return setTimeout(() => this.close(closeCodes.normal), this.#options.idleMs);
  }
}
