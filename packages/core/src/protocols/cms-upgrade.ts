import { type ClientRequest, type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { Duplex } from "node:stream";
import type { Clock } from "../contracts/clock.ts";
import type { OperationOptions } from "../contracts/common.ts";
import type { HeaderList, PassedRequest, UpgradeOutcome } from "../contracts/server-protocol.ts";
import { GatewayError } from "../errors.ts";
import { type AbortSource, abortOf } from "../late-abort.ts";
import { announcedSize } from "./announced-size.ts";
import { AnswerBody, brokeOff } from "./answer-body.ts";
import { type CmsLogins, sendAuthorized } from "./cms-logins.ts";
import { authorizationOf, checkPassed } from "./cms-pass.ts";
import { answerHeaders, headerIn, requestHeaders, withOwn } from "./pass-headers.ts";
import { discardPayload } from "./payload-stream.ts";
import { requestTarget } from "./request-target.ts";
import { parseServerAddress } from "./server-address.ts";

const MAX_HEADER_BYTES = 16 * 1024;

/** Sends it with what the server asks for, unless the caller's own credentials are passed on. */
export async function upgradeCms(
  request: PassedRequest,
  { client, logins }: { readonly client: UpgradeClient; readonly logins: CmsLogins },
  options: OperationOptions,
): Promise<UpgradeOutcome> {
  const send = (own: Readonly<Record<string, string>>): Promise<UpgradeOutcome> =>
    client.send(request, options, own);
  if (headerIn(request.headers, "authorization") !== undefined) return await send({});
  const { server } = request;
  const abort = abortOf(options);
  const outcome = await sendAuthorized(logins, { server, canRepeat: true, abort, send, denied });
  return outcome.kind === "shut" ? { kind: "unsent" } : outcome;
}

function denied(outcome: UpgradeOutcome): (() => void) | undefined {
  if (outcome.kind !== "answered" || outcome.answer.status !== 401) return undefined;
  return () => void outcome.answer.body[Symbol.asyncIterator]().return?.();
}

/**
 * Connections that begin with HTTP and go on with something else, by the host's own client. Only WebSockets: over
 * `h2c` a caller could go on to ask for any path, and no rule would see it.
 */
export class UpgradeClient {
  readonly #clock: Clock;
  readonly #connectTimeoutMs: number;
  readonly #open = new Set<(reason: unknown) => void>();
  #isClosed = false;

  constructor(clock: Clock, connectTimeoutMs: number) {
    this.#clock = clock;
    this.#connectTimeoutMs = connectTimeoutMs;
  }

  /** Sends it, with `own` headers where the caller did not give them. */
  async send(
    request: PassedRequest,
    options: OperationOptions,
    own: Readonly<Record<string, string>>,
  ): Promise<UpgradeOutcome> {
    checkPassed(request);
    const asked = headerIn(request.headers, "upgrade");
    if (asked?.trim().toLowerCase() !== "websocket" || request.method !== "GET") {
      throw new GatewayError("INVALID_REQUEST", "only a GET that asks for websocket can be upgraded", {
        details: { field: "upgrade" },
      });
    }
    const address = parseServerAddress(request.server.url);
    const headers = withOwn(requestHeaders(request.headers), authorizationOf(address?.headers), own);
    if (address === undefined) return { kind: "unsent" };
    if (this.#isClosed) throw closed();
    const abort = abortOf(options);
    if (abort?.aborted) throw abort.reason;
    if (request.payload !== undefined) discardPayload(request.payload);
    const url = new URL(address.origin);
    const send = url.protocol === "https:" ? requestHttps : requestHttp;
    const call = send({
      protocol: url.protocol,
      host: url.hostname.replace(/^\[|\]$/g, ""),
      port: url.port === "" ? undefined : Number(url.port),
      agent: false,
      method: "GET",
      path: requestTarget(`${address.prefix}${request.path}`, request.query),
      // As a list the client writes it as it is, and adds nothing of its own.
      headers: ["Host", url.host, ...headers, "Connection", "Upgrade", "Upgrade", asked],
      maxHeaderSize: MAX_HEADER_BYTES,
    });
    return await this.#follow(call, request, abort);
  }

  /** Ends every connection. */
  close(): void {
    this.#isClosed = true;
    for (const end of [...this.#open]) end(closed());
  }

  #follow(
    call: ClientRequest,
    request: PassedRequest,
    abort: AbortSource | undefined,
  ): Promise<UpgradeOutcome> {
    return new Promise((resolve, reject) => {
      let isSent = false;
      let body: AnswerBody | undefined;
      const finish = (): void => {
        cancelConnecting();
        cancelTimer();
        stopListening?.();
        this.#open.delete(end);
      };
      const end = (reason: unknown): void => {
        finish();
        reject(reason);
        body?.fail(reason, { drop: true });
        call.destroy();
        // Once it is upgraded the connection is none of the client's any more.
        upgraded?.destroy();
      };
      let upgraded: Duplex | undefined;
      const cancelConnecting = this.#clock.after(this.#connectTimeoutMs, () => {
        if (isSent) return;
        resolve({ kind: "unsent" });
        end(new Error("time limit"));
      });
      const cancelTimer = this.#clock.after(request.timeoutMs, () => {
        resolve(isSent ? { kind: "broken", reason: "timeout" } : { kind: "unsent" });
        end(new Error("time limit"));
      });
      const stopListening = abort?.onAbort(() => end(abort.reason));
      this.#open.add(end);
      call.once("socket", (socket) => {
        socket.once(call.protocol === "https:" ? "secureConnect" : "connect", () => {
          isSent = true;
        });
      });
      call.on("error", (error) => {
        resolve(isSent ? { kind: "broken", reason: brokenReason(error) } : { kind: "unsent" });
        finish();
      });
      call.once("upgrade", (response: IncomingMessage, socket, head: Buffer) => {
        cancelTimer();
        upgraded = socket;
        socket.once("close", finish);
        socket.on("error", () => {});
        if (head.byteLength > 0) socket.unshift(head);
        const { idleTimeoutMs } = request;
        if (idleTimeoutMs !== undefined) socket.setTimeout(idleTimeoutMs, () => socket.destroy());
        resolve({ kind: "upgraded", headers: upgradedHeaders(response), connection: socket });
      });
      call.once("response", (response) => {
        cancelTimer();
        body = bodyOf(response, call, this.#clock, request.idleTimeoutMs);
        response.once("close", finish);
        const headers = answerHeaders(response.rawHeaders);
        const answer = {
          status: response.statusCode ?? 0,
          headers,
          sizeBytes: announcedSize(response.headers["content-length"]),
          body,
        };
        resolve({ kind: "answered", answer });
      });
      call.end();
    });
  }
}

function bodyOf(
  response: IncomingMessage,
  call: ClientRequest,
  clock: Clock,
  idleTimeoutMs: number | undefined,
): AnswerBody {
  const source = {
    pause: () => response.pause(),
    resume: () => response.resume(),
    abort: () => call.destroy(),
  };
  const body = new AnswerBody(source, clock, announcedSize(response.headers["content-length"]), {
    idleTimeoutMs,
    receivesRest: false,
  });
  response.on("data", (chunk: Buffer) => body.receive(chunk));
  response.once("end", () => body.complete());
  response.on("error", () => {});
  response.once("close", () => body.fail(brokeOff("ECONNRESET"), { drop: false }));
  return body;
}

// Whoever hands the connection on answers with these: without the two the other end would not believe the upgrade.
function upgradedHeaders(response: IncomingMessage): HeaderList {
  const upgrade = response.headers.upgrade ?? "websocket";
  return [["Upgrade", upgrade], ["Connection", "Upgrade"], ...answerHeaders(response.rawHeaders)];
}

function brokenReason(error: Error): "reset" | "bad_gateway" {
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return code.startsWith("HPE_") ? "bad_gateway" : "reset";
}

function closed(): GatewayError {
  return new GatewayError("CLOSED", "the protocol was closed");
}
