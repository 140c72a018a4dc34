import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import {
  byte,
  FRAME,
  type Frame,
  FrameReader,
  long,
  longText,
  methodFrame,
  short,
  shortText,
} from "./amqp-frames.ts";

/** Where the queue of the gateway that is left is. */
export interface QueueAddress {
  /** `amqp://user:password@host:port/vhost`, or `amqps:`. */
  readonly url: string;
  readonly queue: string;
}

type Method = readonly [number, number];
const START: Method = [10, 10];
const START_OK: Method = [10, 11];
const TUNE: Method = [10, 30];
const TUNE_OK: Method = [10, 31];
const OPEN: Method = [10, 40];
const OPEN_OK: Method = [10, 41];
const CLOSE: Method = [10, 50];
const CLOSE_OK: Method = [10, 51];
const CHANNEL_OPEN: Method = [20, 10];
const CHANNEL_OPEN_OK: Method = [20, 11];
const CHANNEL_CLOSE: Method = [20, 40];
const GET: Method = [60, 70];
const GET_OK: Method = [60, 71];
const GET_EMPTY: Method = [60, 72];

const PATIENCE_MS = 10_000;
const FRAME_BYTES = 131_072;
const CHANNEL = 1;

/**
 * What waits in a queue, and stays there: each message is fetched without being confirmed, and when the connection
 * ends the broker puts all of them back to their places, marked as redelivered. Yields them in their order.
 */
export async function* readQueue({ url, queue }: QueueAddress): AsyncGenerator<Buffer> {
  const line = await Line.open(new URL(url));
  try {
    for (;;) {
      line.send(methodFrame(CHANNEL, GET, short(0), shortText(queue), byte(0)));
      const method = await line.method(GET_OK, GET_EMPTY);
      if (isMethod(method, GET_EMPTY)) break;
      yield await line.content();
    }
    line.send(methodFrame(0, CLOSE, short(200), shortText("done"), short(0), short(0)));
    await line.method(CLOSE_OK);
  } finally {
    line.end();
  }
}

class Line {
  readonly #socket: Socket;
  readonly #reader = new FrameReader();
  readonly #frames: Frame[] = [];
  #wake: () => void = () => {};
  #broken: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setTimeout(PATIENCE_MS, () =>
      socket.destroy(new Error(`no answer within ${PATIENCE_MS / 1000} s`)),
    );
    socket.on("data", (chunk) => {
      try {
        this.#frames.push(...this.#reader.take(chunk));
      } catch (error) {
        this.#broken = error as Error;
      }
      this.#wake();
    });
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () =>
      this.#fail(new Error("the broker hung up; the user or the password may be wrong")),
    );
  }

  /** Says who it is and opens one channel. */
  static async open(url: URL): Promise<Line> {
    const isSecure = url.protocol === "amqps:";
    const place = {
      host: url.hostname.replace(/^\[|\]$/g, ""),
      port: Number(url.port || (isSecure ? 5671 : 5672)),
    };
    const line = new Line(isSecure ? connectTls({ ...place, servername: place.host }) : connect(place));
    try {
      line.send(Buffer.from("AMQP\0\0\x09\x01", "latin1"));
      await line.method(START);
      const [user, password] = [url.username, url.password].map(decodeURIComponent);
      const login = longText(`\0${user}\0${password}`);
      line.send(methodFrame(0, START_OK, long(0), shortText("PLAIN"), login, shortText("en_US")));
      await line.method(TUNE);
      line.send(methodFrame(0, TUNE_OK, short(CHANNEL), long(FRAME_BYTES), short(0)));
      const vhost = url.pathname.length > 1 ? decodeURIComponent(url.pathname.slice(1)) : "/";
      line.send(methodFrame(0, OPEN, shortText(vhost), shortText(""), byte(0)));
      await line.method(OPEN_OK);
      line.send(methodFrame(CHANNEL, CHANNEL_OPEN, shortText("")));
      await line.method(CHANNEL_OPEN_OK);
      return line;
    } catch (error) {
      line.end();
      throw error;
    }
  }

  send(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  /** The next method, which must be one of these. */
  async method(...expected: readonly Method[]): Promise<Buffer> {
    const { type, payload } = await this.#next();
    if (type === FRAME.method && (isMethod(payload, CLOSE) || isMethod(payload, CHANNEL_CLOSE))) {
      const size = payload.readUInt8(6);
      throw new Error(`the broker refused: ${payload.toString("utf8", 7, 7 + size)}`);
    }
    if (type === FRAME.method && expected.some((method) => isMethod(payload, method))) return payload;
    throw new Error("the broker answered otherwise than AMQP says");
  }

  /** What a message holds. */
  async content(): Promise<Buffer> {
    const { type, payload } = await this.#next();
    if (type !== FRAME.header) throw new Error("the broker answered otherwise than AMQP says");
    const size = Number(payload.readBigUInt64BE(4));
    const pieces: Buffer[] = [];
    for (let at = 0; at < size; ) {
      const piece = await this.#next();
      pieces.push(piece.payload);
      at += piece.payload.length;
    }
    return Buffer.concat(pieces);
  }

  end(): void {
    this.#socket.removeAllListeners("close").destroy();
  }

  #fail(error: Error): void {
    this.#broken ??= error;
    this.#wake();
  }

  async #next(): Promise<Frame> {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame?.type === FRAME.heartbeat) continue;
      if (frame !== undefined) return frame;
      if (this.#broken !== undefined) throw this.#broken;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

function isMethod(payload: Buffer, [kind, method]: Method): boolean {
  return payload.readUInt16BE(0) === kind && payload.readUInt16BE(2) === method;
}
