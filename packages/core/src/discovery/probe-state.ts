import type { ServerState } from "../contracts/discovery.ts";

/** What our probes have said of a server so far. */
export interface ProbeState {
  readonly state: Extract<ServerState, "starting" | "ready" | "unhealthy">;
  /** Failed probes in a row. */
  readonly failures: number;
}

export interface ProbePace {
  /** Between probes of a ready server. */
  readonly intervalMs: number;
  /** After the first failed probe. */
  readonly firstRetryMs: number;
  /** After many. */
  readonly maxRetryMs: number;
}

const GROWTH = 1.6;
const FAILURES_UNTIL_UNHEALTHY = 2;

export const NEVER_PROBED: ProbeState = { state: "starting", failures: 0 };

/** What is known after one more probe: one success is enough, one failure of a ready server is not. */
export function afterProbe(before: ProbeState, isReady: boolean): ProbeState {
  if (isReady) return { state: "ready", failures: 0 };
  const failures = before.failures + 1;
  const isLost = before.state === "ready" && failures >= FAILURES_UNTIL_UNHEALTHY;
  return { state: isLost ? "unhealthy" : before.state, failures };
}

/** How long to wait for the next probe. */
export function probeDelayMs(known: ProbeState, pace: ProbePace): number {
  if (known.failures === 0) return pace.intervalMs;
  const retryMs = Math.min(pace.maxRetryMs, pace.firstRetryMs * GROWTH ** (known.failures - 1));
  return Math.min(pace.intervalMs, Math.round(retryMs));
}
