import type { Clock } from "../contracts/clock.ts";
import type { ModelServer } from "../contracts/discovery.ts";
import { instanceMark, markOf } from "../instance-marks.ts";
import { readAtMost } from "./bounded-read.ts";
import type { HttpTransport } from "./http-transport.ts";
import { parseServerAddress } from "./server-address.ts";

const MAX_METRICS_BYTES = 1024 * 1024;
const TIME_LIMIT_MS = 2000;
/** The start is told in whole seconds by some hosts, and a run may begin right after it. */
const MARGIN_MS = 2000;

/**
 * When the process of a server began, by its own metrics: a CMS names its incarnation in no other way. `undefined` when
 * it does not say in time.
 */
export async function askProcessMark(
  server: ModelServer,
  { transport, clock }: { readonly transport: HttpTransport; readonly clock: Clock },
): Promise<string | undefined> {
  const address = parseServerAddress(server.url);
  if (address === undefined) return undefined;
  try {
    const answered = await transport.send({
      origin: address.origin,
      target: `${address.prefix}/metrics`,
      method: "GET",
      headers: address.headers,
      ownConnection: true,
      timeoutMs: TIME_LIMIT_MS,
    });
    if (answered.kind !== "answered") return undefined;
    const bounds = { maxBytes: MAX_METRICS_BYTES, limitMs: TIME_LIMIT_MS, clock };
    const body = await readAtMost(answered.body, bounds);
    if (answered.status !== 200 || body === undefined) return undefined;
    const text = new TextDecoder().decode(body);
    const startedAt = /^process_start_time_seconds (\d+(?:\.\d+)?(?:e\+?\d+)?)\s*$/im.exec(text)?.[1];
    return startedAt === undefined ? undefined : instanceMark("process", startedAt);
  } catch {
    return undefined;
  }
}

/** Whether the process that answers began after the run did: both are told by the clock of the server's host. */
export function beganAfter(instance: string | undefined, runStartedAtMs: number | undefined): boolean {
  const startedAt = Number(markOf(instance, "process"));
  return runStartedAtMs !== undefined && startedAt * 1000 > runStartedAtMs + MARGIN_MS;
}
