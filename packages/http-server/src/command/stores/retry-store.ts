import { setTimeout as sleep } from "node:timers/promises";
import { GatewayError } from "@modelgate/core";
import { CommandError } from "../command-error.ts";
import { EXIT } from "../exit-codes.ts";
import type { Settings } from "../settings/settings.ts";
import { type Backend, storeFailure } from "./store-failure.ts";

export interface RetryOptions {
  readonly settings: Settings;
  readonly backend: Backend;
  /** Told what is waited for, and again from time to time. */
  readonly onWait: (text: string, restMs: number) => void;
  readonly signal?: AbortSignal | undefined;
}

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 2_000;
/** A line for whoever wonders what it waits for. */
const TELL_EVERY_MS = 10_000;

/**
 * Calls a backend until it answers. One that is down is waited for, until `startTimeoutMs` is over; what only somebody
 * can mend ends the wait at once. Rejects with `CommandError`, or with the reason of `signal`.
 */
export async function retryStore<T>(
  call: () => Promise<T>,
  { settings, backend, onWait, signal }: RetryOptions,
): Promise<T> {
  const { startTimeoutMs } = settings;
  const untilMs = performance.now() + startTimeoutMs;
  let told: { readonly text: string; readonly atMs: number } | undefined;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      signal?.throwIfAborted();
      return await call();
    } catch (error) {
      if (signal?.aborted === true || !GatewayError.is(error)) throw error;
      const { text, isPassing } = storeFailure(error, backend, settings);
      const nowMs = performance.now();
      if (!isPassing) throw new CommandError(EXIT.failed, text);
      if (nowMs >= untilMs) {
        const waited = startTimeoutMs === 0 ? "" : `; waited for ${startTimeoutMs} ms`;
        throw new CommandError(EXIT.failed, `${text}${waited}`);
      }
      if (told?.text !== text || nowMs - told.atMs >= TELL_EVERY_MS) {
        told = { text, atMs: nowMs };
        onWait(text, untilMs - nowMs);
      }
      await sleep(Math.min(pauseMs, Math.max(0, untilMs - nowMs)), undefined, { ...(signal && { signal }) });
    }
  }
}
