/** A frame of the WebSocket protocol (RFC 6455), with its payload unmasked. */
export interface Frame {
  /** Whether it is the last of its message. Default `true`. */
  readonly isFinal?: boolean;
  /** 0 goes on, 1 is text, 2 binary, 8 a close. Default 1. */
  readonly opcode?: number;
  readonly payload: Buffer;
}

export function writeFrame({ isFinal = true, opcode = 1, payload }: Frame, mask?: Buffer): Buffer {
  const length = payload.byteLength;
  const head = [(isFinal ? 0x80 : 0) | opcode];
  const masked = mask === undefined ? 0 : 0x80;
  if (length < 126) head.push(masked | length);
  else if (length < 65_536) head.push(masked | 126, length >> 8, length & 0xff);
  else {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(BigInt(length));
    head.push(masked | 127, ...bytes);
  }
  if (mask === undefined) return Buffer.concat([Buffer.from(head), payload]);
  return Buffer.concat([Buffer.from(head), mask, xor(payload, mask)]);
}

/** Puts frames together from pieces. */
export class FrameReader {
  #rest = Buffer.alloc(0);

  read(chunk: Buffer): Frame[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const frames: Frame[] = [];
    for (;;) {
      const frame = this.#next();
      if (frame === undefined) return frames;
      frames.push(frame);
    }
  }

  #next(): Frame | undefined {
    const bytes = this.#rest;
    if (bytes.byteLength < 2) return undefined;
    const [first = 0, second = 0] = bytes;
    let length = second & 0x7f;
    let at = 2;
    if (length === 126) at = 4;
    else if (length === 127) at = 10;
    if (bytes.byteLength < at) return undefined;
    if (at === 4) length = bytes.readUInt16BE(2);
    else if (at === 10) length = Number(bytes.readBigUInt64BE(2));
    const mask = (second & 0x80) === 0 ? undefined : bytes.subarray(at, at + 4);
    if (mask !== undefined) at += 4;
    if (bytes.byteLength < at + length) return undefined;
    const payload = bytes.subarray(at, at + length);
    this.#rest = bytes.subarray(at + length);
    const plain = mask === undefined ? payload : xor(payload, mask);
    return { isFinal: (first & 0x80) !== 0, opcode: first & 0x0f, payload: plain };
  }
}

function xor(bytes: Buffer, mask: Buffer): Buffer {
  return Buffer.from(bytes.map((byte, at) => byte ^ (mask[at % 4] ?? 0)));
}
