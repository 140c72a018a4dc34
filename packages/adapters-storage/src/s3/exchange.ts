import type { Hash } from "node:crypto";
import { createHash } from "node:crypto";
import type { ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import { Readable } from "node:stream";
import type { MinioClientLike } from "./options.ts";
import { S3Refusal, S3Timeout } from "./s3-error.ts";
import { textOf } from "./xml.ts";

/** Bytes at hand that can be sent again. */
export interface RequestBody {
  readonly sizeBytes: number;
  readonly pieces: readonly Uint8Array[];
  /** Of all bytes, in the algorithm of the connection. */
  readonly digest: Buffer;
}

export interface S3Request {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** The object's name; without one it is about the bucket. */
  readonly object?: string | undefined;
  readonly query?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: RequestBody | undefined;
}

/** Something that a request can be cut off by. */
export interface Interruption {
  onEnd(callback: (reason: unknown) => void): () => void;
}

export interface Limits {
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
}

interface Transport {
  request(options: RequestOptions, onResponse?: (response: IncomingMessage) => void): ClientRequest;
}

const SUCCESS = [200, 204, 206];
const EMPTY_SHA256 = createHash("sha256").digest("hex");
/** Enough for any error. */
const LONGEST_REFUSAL_BYTES = 65_536;

/** What a body is hashed with: the signature covers it, unless TLS does; then the server compares a checksum. */
export function bodyHash(client: MinioClientLike): Hash {
  return createHash(client.enableSHA256 ? "sha256" : "md5");
}

/**
 * Sends one request, once. Resolves when the head of an answer that says yes is there; rejects `S3Refusal` for one
 * that says no, `S3Timeout` when nothing moves, the reason of `interruption`, and what Node says of connections.
 *
 * minio signs, addresses and knows where credentials come from; the wire is ours. Its own way of sending tries again
 * after a fixed choice of answers, tells the console, drops what the server said and never gives the connection back.
 */
export function exchange(
  client: MinioClientLike,
  bucket: string,
  request: S3Request,
  limits: Limits,
  interruption: Interruption,
  agent: RequestOptions["agent"],
): Promise<IncomingMessage> {
  const { transport: wire } = client as unknown as { readonly transport: Transport };
  return new Promise<IncomingMessage>((resolve, reject) => {
    let sent: ClientRequest | undefined;
    let isOver = false;
    const finish = (settle: () => void): void => {
      if (isOver) return;
      isOver = true;
      release();
      settle();
    };
    const release = interruption.onEnd((reason) => {
      finish(() => reject(reason));
      sent?.destroy();
    });
    if (isOver) return;

    const transport: Transport = {
      request(options, onResponse) {
        const given = agent === undefined ? options : { ...options, agent };
        // Where the region is not given, minio asks for it first, and knows itself what to make of any answer.
        const isForMinio = options.path?.endsWith("?location") === true;
        const outgoing = wire.request(given, isForMinio ? onResponse : undefined);
        sent = outgoing;
        if (isOver) outgoing.destroy();
        limit(outgoing, limits);
        outgoing.on("error", (error) => finish(() => reject(error)));
        if (isForMinio) return outgoing;
        outgoing.on("response", (response) => {
          if (SUCCESS.includes(response.statusCode ?? 0)) {
            finish(() => resolve(response));
            return;
          }
          void refusalOf(response).then((refusal) => {
            // A body that nobody wants is not sent on.
            if (!outgoing.writableFinished) outgoing.destroy();
            finish(() => reject(refusal));
          });
        });
        return outgoing;
      },
    };
    const own = Object.create(client, {
      transport: { value: transport },
      retryOptions: { value: { disableRetry: true } },
    }) as MinioClientLike;
    signAndSend(own, bucket, request).catch((error: unknown) => finish(() => reject(error)));
  });
}

async function signAndSend(client: MinioClientLike, bucket: string, request: S3Request): Promise<void> {
  const { method, object, query, body } = request;
  const headers: Record<string, string> = { ...request.headers };
  if (method === "PUT" || method === "POST") headers["content-length"] = String(body?.sizeBytes ?? 0);
  if (body !== undefined && !client.enableSHA256) headers["content-md5"] = body.digest.toString("base64");
  const sha256 = body?.digest.toString("hex") ?? EMPTY_SHA256;
  const options = {
    method,
    headers,
    bucketName: bucket,
    ...(object === undefined ? {} : { objectName: object }),
    ...(query === undefined ? {} : { query }),
  };
  const sending = body === undefined || body.sizeBytes === 0 ? "" : Readable.from(body.pieces, RAW);
  await client.makeRequestStreamAsync(options, sending, client.enableSHA256 ? sha256 : "", SUCCESS, "");
}

const RAW = { objectMode: false };

function limit(request: ClientRequest, { connectTimeoutMs, requestTimeoutMs }: Limits): void {
  request.once("socket", (socket) => {
    if (!socket.connecting) return;
    // An agent's own limit is for connections that nobody uses.
    socket.setTimeout(0);
    const timer = setTimeout(() => {
      request.destroy(new S3Timeout(`no connection came about within ${connectTimeoutMs} ms`));
    }, connectTimeoutMs);
    const stop = (): void => clearTimeout(timer);
    socket.once("encrypted" in socket ? "secureConnect" : "connect", stop);
    request.once("close", stop);
  });
  request.setTimeout(requestTimeoutMs, () => {
    request.destroy(new S3Timeout(`the server did nothing for ${requestTimeoutMs} ms`));
  });
}

async function refusalOf(response: IncomingMessage): Promise<S3Refusal> {
  const text = await readText(response, LONGEST_REFUSAL_BYTES).catch(() => "");
  return new S3Refusal(response.statusCode ?? 0, textOf(text, "Code") ?? "", response.headers.date);
}

/** All of an answer; of more than `mostBytes` the rest is thrown away, with the connection. */
export async function readText(response: IncomingMessage, mostBytes: number): Promise<string> {
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    pieces.push(piece);
    sizeBytes += piece.byteLength;
    if (sizeBytes > mostBytes) break;
  }
  return Buffer.concat(pieces).toString();
}
