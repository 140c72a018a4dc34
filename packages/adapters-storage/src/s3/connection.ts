import type { Hash } from "node:crypto";
import { Agent as HttpAgent, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { GatewayError } from "@modelgate/core";
import { bodyHash, exchange, type RequestBody, readText, type S3Request } from "./exchange.ts";
import type { Operation } from "./operation.ts";
import type { MinioClientLike, S3Settings, ServerSettings } from "./options.ts";
import { mayPass, S3Refusal } from "./s3-error.ts";
import { textOf } from "./xml.ts";

/** Requests that end by themselves wait for one of these; a part is on its way for seconds at most. */
const MOST_SOCKETS = 64;
/** Shorter than servers and what stands before them keep a connection that nobody uses. */
const IDLE_SOCKET_MS = 15_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;
/** A page of a listing has 1,000 names of 1,024 bytes, each byte of which may take three. */
const LONGEST_ANSWER_BYTES = 8 * 1024 * 1024;

export interface S3Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** The way to the server: one client, its connections, and what is done when one breaks. */
export class S3Connection {
  readonly settings: S3Settings;
  #opening: Promise<Opened> | undefined;

  constructor(settings: S3Settings) {
    this.settings = settings;
  }

  /** Makes hashes for the bodies of requests. */
  async newHash(): Promise<() => Hash> {
    const { client } = await this.#open();
    return () => bodyHash(client);
  }

  /** A small body at hand. */
  async bodyOf(text: string): Promise<RequestBody> {
    const bytes = Buffer.from(text);
    const newHash = await this.newHash();
    return { sizeBytes: bytes.byteLength, pieces: [bytes], digest: newHash().update(bytes).digest() };
  }

  /** Sends a request as often as is allowed, and reads all of the answer. `onAgain` is told before a further try. */
  async call(
    request: S3Request,
    operation: Operation,
    onAgain?: (error: unknown) => void,
  ): Promise<S3Answer> {
    return await this.#again(operation, onAgain, async ({ client, calls }) => {
      const response = await this.#exchange(client, request, operation, calls);
      const release = operation.onEnd(() => response.destroy());
      const text = await readText(response, LONGEST_ANSWER_BYTES).finally(release);
      // What takes long begins with a 200 before it is known how it ends.
      const isRefused = /^\s*(?:<\?xml[^>]*>\s*)?<Error>/.test(text);
      if (isRefused) throw new S3Refusal(500, textOf(text, "Code") ?? "");
      return { status: response.statusCode ?? 0, headers: response.headers, text };
    });
  }

  /** The same, up to where the body of the answer begins. */
  async open(request: S3Request, operation: Operation): Promise<IncomingMessage> {
    return await this.#again(operation, undefined, async ({ client, bodies }) => {
      return await this.#exchange(client, request, operation, bodies);
    });
  }

  async presign(object: string, seconds: number, operation: Operation): Promise<string> {
    const { client } = await this.#open();
    return await operation.race(() => client.presignedUrl("GET", this.settings.bucket, object, seconds));
  }

  /** Ends all connections of its own. */
  async close(): Promise<void> {
    const opened = await this.#opening?.catch(() => undefined);
    opened?.calls?.destroy();
    opened?.bodies?.destroy();
  }

  #exchange(
    client: MinioClientLike,
    request: S3Request,
    operation: Operation,
    agent: HttpAgent | undefined,
  ): Promise<IncomingMessage> {
    return exchange(client, this.settings.bucket, request, this.settings, operation, agent);
  }

  async #again<T>(
    operation: Operation,
    onAgain: ((error: unknown) => void) | undefined,
    send: (opened: Opened) => Promise<T>,
  ): Promise<T> {
    const opened = await this.#open();
    for (let tries = 0; ; tries += 1) {
      operation.throwIfEnded();
      try {
        return await send(opened);
      } catch (error) {
        operation.throwIfEnded();
        if (tries >= this.settings.retries || !mayPass(error)) throw error;
        onAgain?.(error);
      }
      await pause(tries, operation);
    }
  }

  #open(): Promise<Opened> {
    this.#opening ??= openClient(this.settings.client).catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }
}

interface Opened {
  readonly client: MinioClientLike;
  /** Of one's own client; another one has an agent already. */
  readonly calls: HttpAgent | undefined;
  /**
   * For bodies that are being read. How long that takes is up to the reader, who may wait for a `put` meanwhile: if
   * both took from one bounded set of connections, all could wait for each other.
   */
  readonly bodies: HttpAgent | undefined;
}

async function openClient(client: MinioClientLike | ServerSettings): Promise<Opened> {
  if (!("host" in client) || "makeRequestStreamAsync" in client) {
    return { client: client as MinioClientLike, calls: undefined, bodies: undefined };
  }
  const { Client } = await import("minio").catch((cause: unknown) => {
    throw new GatewayError(
      "INVALID_OPTIONS",
      "the S3 store needs the package minio; run npm install minio@8.0.7",
      {
        cause,
        details: { field: "client" },
      },
    );
  });
  const { isSecure, host, port, region, accessKey, secretKey, sessionToken, addressing } = client;
  const calls = agentOf(client, { maxSockets: MOST_SOCKETS });
  const made = new Client({
    endPoint: host,
    port,
    useSSL: isSecure,
    region,
    accessKey,
    secretKey,
    pathStyle: addressing === "path",
    transportAgent: calls,
    ...(sessionToken === undefined ? {} : { sessionToken }),
  });
  return { client: made as unknown as MinioClientLike, calls, bodies: agentOf(client, {}) };
}

function agentOf({ isSecure, ca, verify }: ServerSettings, bound: { maxSockets?: number }): HttpAgent {
  const options = { keepAlive: true, timeout: IDLE_SOCKET_MS, scheduling: "lifo", ...bound } as const;
  if (!isSecure) return new HttpAgent(options);
  return new HttpsAgent({ ...options, rejectUnauthorized: verify, ...(ca === undefined ? {} : { ca }) });
}

/** Longer from try to try, and never twice the same, so that those who were interrupted together do not return so. */
export function pause(tries: number, operation: Operation): Promise<void> {
  const ms = Math.random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** tries);
  return new Promise((resolve, reject) => {
    const stop = operation.onEnd((reason) => {
      clearTimeout(timer);
      reject(reason);
    });
    const timer = setTimeout(() => {
      stop();
      resolve();
    }, ms);
  });
}
