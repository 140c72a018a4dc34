import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { Clock } from "../contracts/clock.ts";
import type { OperationOptions } from "../contracts/common.ts";
import { GatewayError } from "../errors.ts";
import { instanceMark } from "../instance-marks.ts";
import { parseJson } from "./bounded-read.ts";
import type { ControlAnswer } from "./control-client.ts";
import { parseServerAddress } from "./server-address.ts";

const MAX_HEADER_BYTES = 16 * 1024;
const MAX_BODY_BYTES = 1024 * 1024;

/**
 * Asks servers whether they are ready, each time over a connection of its own, as control calls do. Probes are nearly
 * all that an idle gateway does, and the host's own client costs half of what they cost over the transport and ky.
 */
export class ProbeClient {
  readonly #clock: Clock;
  readonly #closing = new Set<(reason: unknown) => void>();
  #isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `timeoutMs` is for the headers, and again for the body. Rejects the signal's reason, and `CLOSED`. */
  get(
    url: string,
    path: string,
    timeoutMs: number,
    { signal }: OperationOptions,
    own: Readonly<Record<string, string>>,
  ): Promise<ControlAnswer> {
    const address = parseServerAddress(url);
    if (address === undefined) return Promise.resolve({ kind: "unreachable" });
    return new Promise((resolve, reject) => {
      if (this.#isClosed) throw closed();
      if (signal?.aborted === true) throw signal.reason;
      const { origin, prefix } = address;
      const headers = { ...address.headers, ...own };
      const target = new URL(`${origin}${prefix}${path}`);
      const send = target.protocol === "https:" ? requestHttps : requestHttp;
      const call = send(target, { agent: false, headers, maxHeaderSize: MAX_HEADER_BYTES });
      let hasConnected = false;
      let cancelTimer = this.#clock.after(timeoutMs, () => {
        end(() => resolve({ kind: hasConnected ? "timeout" : "unreachable" }));
      });
      const end = (settle: () => void): void => {
        cancelTimer();
        signal?.removeEventListener("abort", onAbort);
        this.#closing.delete(stop);
        settle();
        call.destroy();
      };
      const stop = (reason: unknown): void => end(() => reject(reason));
      const onAbort = (): void => stop(signal?.reason);
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#closing.add(stop);
      call.once("finish", () => {
        hasConnected = true;
      });
      // Errors after the end have nobody to tell.
      call.on("error", () => end(() => resolve({ kind: hasConnected ? "broken" : "unreachable" })));
      call.once("response", (response) => {
        cancelTimer();
        cancelTimer = this.#clock.after(timeoutMs, () => end(() => resolve(answered(response, undefined))));
        readBody(response, (body) => end(() => resolve(answered(response, body))));
      });
      call.end();
    });
  }

  close(): void {
    this.#isClosed = true;
    for (const stop of [...this.#closing]) stop(closed());
  }
}

/** Calls back once, with nothing when the body is too long or broke off. */
function readBody(response: IncomingMessage, done: (body: Uint8Array | undefined) => void): void {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  response.on("data", (chunk: Buffer) => {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > MAX_BODY_BYTES) done(undefined);
    else chunks.push(chunk);
  });
  response.once("error", () => done(undefined));
  response.once("close", () => done(response.complete ? Buffer.concat(chunks) : undefined));
}

function answered(response: IncomingMessage, body: Uint8Array | undefined): ControlAnswer {
  const header = response.headers["x-instance-id"];
  const id = Array.isArray(header) ? header[0] : header;
  return {
    kind: "answered",
    status: response.statusCode ?? 0,
    instance: id === undefined ? undefined : instanceMark("header", id),
    json: parseJson(body),
  };
}

function closed(): GatewayError {
  return new GatewayError("CLOSED", "the protocol was closed");
}
