import { isUtf8 } from "node:buffer";

/** The frames of RFC 6455, as far as a server without extensions and subprotocols needs them. */
export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** Why a connection is closed. */
export const closeCodes = {
  normal: 1_000,
  protocolError: 1_002,
  unsupportedData: 1_003,
  invalidData: 1_007,
  tooBig: 1_009,
  serviceRestart: 1_012,
} as const;

export interface Frame {
  isFinal: boolean;
  opcode: number;
  payload: Buffer;
}

/** What a client sent is not a WebSocket's; the connection is to be closed with this code. */
export class FrameError extends Error {
  readonly code: number;

  constructor(code: number, sentence: string) {
    super(sentence);
    this.name = "FrameError";
    this.code = code;
  }
}

const knownOpcodes: ReadonlySet<number> = new Set(Object.values(opcodes));
const longestControlPayload = 125;

/** Cuts what a client sends into frames, and takes the mask away that every one of its frames must have. */
export class FrameReader {
  readonly #largest: number;
  #held = Buffer.alloc(0);
  #chunks: Buffer[] = [];
  #heldBytes = 0;
  #neededBytes = 2;

  /** Payloads over `largest` bytes are refused before they are read. */
  constructor(largest: number) {
    this.#largest = largest;
  }

  /** The frames that are whole now. Throws a `FrameError`. */
  *push(chunk: Buffer): Generator<Frame> {
    this.#chunks.push(chunk);
    this.#heldBytes += chunk.length;
    // Joined only when enough has come, so that a large frame in small pieces is not copied for each of them.
    if (this.#heldBytes < this.#neededBytes) return;
    this.#held = Buffer.concat([this.#held, ...this.#chunks]);
    this.#chunks = [];
    for (let frame = this.#next(); frame; frame = this.#next()) yield frame;
  }

  #next(): Frame | undefined {
    const held = this.#held;
    const [first = 0, second = 0] = held;
    if (held.length < 2) return this.#wait(2);
    const opcode = first & 0x0f;
    const isFinal = (first & 0x80) !== 0;
    const announced = second & 0x7f;
    this.#check(first, second, opcode, isFinal, announced);
    const lengthBytes = announced === 126 ? 2 : announced === 127 ? 8 : 0;
    const headBytes = 2 + lengthBytes + 4;
    if (held.length < headBytes) return this.#wait(headBytes);
    const length = lengthOf(held, announced);
    if (length > this.#largest) throw new FrameError(closeCodes.tooBig, "The message is too long.");
    if (held.length < headBytes + length) return this.#wait(headBytes + length);
    const mask = held.subarray(headBytes - 4, headBytes);
    const payload = Buffer.from(held.subarray(headBytes, headBytes + length));
    for (let index = 0; index < length; index += 1) {
      payload[index] = (payload[index] ?? 0) ^ (mask[index & 3] ?? 0);
    }
    this.#held = held.subarray(headBytes + length);
    this.#heldBytes = this.#held.length;
    return { isFinal, opcode, payload };
  }

  #check(first: number, second: number, opcode: number, isFinal: boolean, announced: number): void {
    if ((first & 0x70) !== 0) throw protocolError("No extension was agreed on.");
    if (!knownOpcodes.has(opcode)) throw protocolError("The opcode is unknown.");
    if ((second & 0x80) === 0) throw protocolError("A client's frames are masked.");
    if (opcode >= opcodes.close && (!isFinal || announced > longestControlPayload)) {
      throw protocolError("A control frame is short and whole.");
    }
  }

  #wait(bytes: number): undefined {
    this.#neededBytes = bytes;
  }
}

function lengthOf(held: Buffer, announced: number): number {
  if (announced === 126) return held.readUInt16BE(2);
  if (announced === 127) return Number(held.readBigUInt64BE(2));
  return announced;
}

function protocolError(sentence: string): FrameError {
  return new FrameError(closeCodes.protocolError, sentence);
}

/** Puts fragments together again; control frames may come between them, and are passed on as they are. */
export class MessageAssembler {
  readonly #largest: number;
  #parts: Buffer[] = [];
  #partBytes = 0;
  #opcode: number | undefined;

  constructor(largest: number) {
    this.#largest = largest;
  }

  /** The whole message that ends with this frame. Throws a `FrameError`. */
  push({ isFinal, opcode, payload }: Frame): { opcode: number; payload: Buffer } | undefined {
    if (opcode >= opcodes.close) return { opcode, payload };
    if ((opcode === opcodes.continuation) === (this.#opcode === undefined)) {
      throw protocolError("A message is continued that was not begun, or begun before another has ended.");
    }
    this.#opcode ??= opcode;
    this.#parts.push(payload);
    this.#partBytes += payload.length;
    if (this.#partBytes > this.#largest) throw new FrameError(closeCodes.tooBig, "The message is too long.");
    if (!isFinal) return undefined;
    const message = { opcode: this.#opcode, payload: Buffer.concat(this.#parts) };
    this.#parts = [];
    this.#partBytes = 0;
    this.#opcode = undefined;
    return message;
  }
}

/** A frame as a server sends it: whole and without a mask. */
export function frameOf(opcode: number, payload: Buffer): Buffer {
  const { length } = payload;
  const extra = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + extra);
  head[0] = 0x80 | opcode;
  head[1] = extra === 0 ? length : extra === 2 ? 126 : 127;
  if (extra === 2) head.writeUInt16BE(length, 2);
  if (extra === 8) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}

export function closePayload(code: number | undefined): Buffer {
  if (code === undefined) return Buffer.alloc(0);
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(code);
  return payload;
}

/** The code of a client's close frame, if it has one. Throws a `FrameError` where it may not be sent. */
export function closeCodeIn(payload: Buffer): number | undefined {
  if (payload.length === 0) return undefined;
  if (payload.length === 1) throw protocolError("A close frame has a code of two bytes, or none.");
  const code = payload.readUInt16BE(0);
  const isOfTheProtocol = code >= 1_000 && code <= 1_014 && ![1_004, 1_005, 1_006].includes(code);
  if (!isOfTheProtocol && !(code >= 3_000 && code <= 4_999)) throw protocolError("This code is not sent.");
  if (!isUtf8(payload.subarray(2))) throw new FrameError(closeCodes.invalidData, "A reason is UTF-8.");
  return code;
}
