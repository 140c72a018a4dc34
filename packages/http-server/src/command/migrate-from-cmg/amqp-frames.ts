/**
 * The frames of AMQP 0-9-1, as far as looking into a queue needs them: https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf.
 * A client library would be a dependency of every installation, for one look in its life.
 */

export const FRAME = { method: 1, header: 2, body: 3, heartbeat: 8 } as const;

export interface Frame {
  readonly type: number;
  readonly channel: number;
  readonly payload: Buffer;
}

const END = 0xce;
const HEAD_BYTES = 7;
/** A broker that sends more in one frame than was agreed on is none. */
const LONGEST_FRAME = 1024 * 1024;

/** Puts frames together from what comes in pieces. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  /** Throws when what came is not AMQP. */
  take(chunk: Buffer): Frame[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: Frame[] = [];
    for (;;) {
      const rest = this.#rest;
      // A broker that does not speak this version answers with its own header, and hangs up.
      if (rest.length >= 4 && rest.toString("latin1", 0, 4) === "AMQP")
        throw new Error("it speaks another version of AMQP");
      if (rest.length < HEAD_BYTES) return frames;
      const size = rest.readUInt32BE(3);
      if (size > LONGEST_FRAME) throw new Error("what answers there does not speak AMQP");
      const whole = HEAD_BYTES + size + 1;
      if (rest.length < whole) return frames;
      if (rest[whole - 1] !== END) throw new Error("what answers there does not speak AMQP");
      frames.push({
        type: rest.readUInt8(0),
        channel: rest.readUInt16BE(1),
        payload: rest.subarray(HEAD_BYTES, HEAD_BYTES + size),
      });
      this.#rest = rest.subarray(whole);
    }
  }
}

/** The arguments of a method, one after another. */
export type Part = Buffer;

export function methodFrame(
  channel: number,
  [kind, method]: readonly [number, number],
  ...parts: Part[]
): Buffer {
  const payload = Buffer.concat([short(kind), short(method), ...parts]);
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt8(FRAME.method, 0);
  head.writeUInt16BE(channel, 1);
  head.writeUInt32BE(payload.length, 3);
  return Buffer.concat([head, payload, Buffer.from([END])]);
}

export function byte(value: number): Part {
  return Buffer.from([value]);
}

export function short(value: number): Part {
  const part = Buffer.alloc(2);
  part.writeUInt16BE(value);
  return part;
}

export function long(value: number): Part {
  const part = Buffer.alloc(4);
  part.writeUInt32BE(value);
  return part;
}

export function shortText(text: string): Part {
  const bytes = Buffer.from(text);
  if (bytes.length > 255) throw new Error("a name in AMQP has at most 255 bytes");
  return Buffer.concat([byte(bytes.length), bytes]);
}

export function longText(text: string): Part {
  const bytes = Buffer.from(text);
  return Buffer.concat([long(bytes.length), bytes]);
}
