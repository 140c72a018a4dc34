import type { Deployment, Deployments } from "@modelgate/core";
import type { HttpContext } from "../context.ts";
import type { RequestView } from "../exchange.ts";

/** Below the five minutes after which common clients give up and send the same again. */
const LONGEST_WAIT_MS = 240_000;

export function longestWaitMs({ options }: HttpContext): number {
  return Math.min(options.maxWaitMs, LONGEST_WAIT_MS);
}

/** The deployment once it has come so far, or as it is when the time is over or this server is to stop. */
export async function settledInTime(
  { waits }: HttpContext,
  request: RequestView,
  deployments: Deployments,
  model: string,
  { until, timeoutMs }: { readonly until: "started" | "ready"; readonly timeoutMs: number },
): Promise<Deployment | undefined> {
  return await waits.run(request.onHangUp, async (signal) => {
    try {
      return await deployments.settled(model, { until, timeoutMs, signal });
    } catch (error) {
      if (!signal.aborted) throw error;
      return await deployments.get(model);
    }
  });
}

/** Whether `work` came to its end within the time. It goes on all the same when it did not. */
export async function endsInTime(
  { waits }: HttpContext,
  request: RequestView,
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<boolean> {
  return await waits.run(request.onHangUp, async (released) => {
    const signal = AbortSignal.any([released, AbortSignal.timeout(timeoutMs)]);
    try {
      await work(signal);
      return true;
    } catch (error) {
      if (!signal.aborted) throw error;
      return false;
    }
  });
}
