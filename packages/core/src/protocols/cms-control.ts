import type { OperationOptions } from "../contracts/common.ts";
import type { ModelServer } from "../contracts/discovery.ts";
import type { ProbeReport, ServerAnswer } from "../contracts/server-protocol.ts";
import { abortOf } from "../late-abort.ts";
import { answerOf } from "./answered.ts";
import { field, textField } from "./bounded-read.ts";
import { type CmsLogins, deniedAnswer, sendAuthorized } from "./cms-logins.ts";
import type { ControlAnswer } from "./control-client.ts";
import type { ExchangeResult } from "./exchange.ts";
import type { HttpTransport } from "./http-transport.ts";
import type { ProbeClient } from "./probe-client.ts";
import { parseServerAddress } from "./server-address.ts";

/** Where readiness is asked, in this order; the next one only when the server does not have the one before. */
const PROBE_PATHS = ["/readyz", "/info", "/v1/models"];
/** Answers that say "there is no such thing here" and nothing of readiness. */
const NOT_THERE = [404, 405, 501];

/** Asks whether a server is ready; `timeoutMs` is for each of the three tries. */
export async function probeCms(
  client: ProbeClient,
  logins: CmsLogins,
  server: ModelServer,
  timeoutMs: number,
  options: OperationOptions,
): Promise<ProbeReport> {
  if (parseServerAddress(server.url) === undefined) {
    return { ready: false, reason: "its address is not one of http or https" };
  }
  for (const path of PROBE_PATHS) {
    const send = (own: Readonly<Record<string, string>>): Promise<ControlAnswer> =>
      client.get(server.url, path, timeoutMs, options, own);
    // Readiness is open to everybody.
    const asked = { server, canRepeat: true, abort: abortOf(options), send, denied };
    const answer = path === "/readyz" ? await send({}) : await sendAuthorized(logins, asked);
    if (answer.kind === "shut") {
      return { ready: false, reason: answer.isReached ? "it does not accept its credentials" : "no login" };
    }
    if (answer.kind !== "answered") return { ready: false, reason: silence(path, answer.kind, timeoutMs) };
    const { status, instance } = answer;
    if (status >= 200 && status < 300) {
      return { ready: true, instance, models: path === "/v1/models" ? listedModels(answer.json) : undefined };
    }
    if (!NOT_THERE.includes(status)) return { ready: false, instance, reason: `${path} answered ${status}` };
  }
  return { ready: false, reason: `it has none of ${PROBE_PATHS.join(", ")}` };
}

function denied(answer: ControlAnswer): (() => void) | undefined {
  return answer.kind === "answered" && answer.status === 401 ? () => {} : undefined;
}

function silence(path: string, kind: Exclude<ControlAnswer["kind"], "answered">, timeoutMs: number): string {
  if (kind === "unreachable") return "no connection";
  return kind === "timeout"
    ? `${path} did not answer within ${timeoutMs} ms`
    : `${path} gave no usable answer`;
}

function listedModels(json: unknown): readonly string[] | undefined {
  const data = field(json, "data");
  if (!Array.isArray(data)) return undefined;
  return data.map((entry) => textField(entry, "id")).filter((id) => id !== undefined);
}

/** What the server says of itself, streamed, with the status that it says it with. */
export async function cmsInfo(
  transport: HttpTransport,
  logins: CmsLogins,
  server: ModelServer,
  timeoutMs: number,
  options: OperationOptions,
): Promise<ServerAnswer | undefined> {
  const address = parseServerAddress(server.url);
  if (address === undefined) return undefined;
  const abort = abortOf(options);
  const send = (own: Readonly<Record<string, string>>): Promise<ExchangeResult> =>
    transport.send({
      origin: address.origin,
      target: `${address.prefix}/info`,
      method: "GET",
      headers: { ...address.headers, ...own },
      ownConnection: true,
      timeoutMs,
      abort,
    });
  const asked = { server, canRepeat: true, abort, send, denied: deniedAnswer };
  const result = await sendAuthorized(logins, asked);
  return result.kind === "answered" ? answerOf(result) : undefined;
}
