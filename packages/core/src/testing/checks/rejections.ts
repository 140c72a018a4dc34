import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { GatewayError, type GatewayErrorCode } from "../../errors.ts";
import { settles } from "./waiting.ts";

/** What `call` rejects with; fails when it resolves or hangs. */
export async function rejectionOf(what: string, call: () => Promise<unknown>): Promise<unknown> {
  const outcome = await settles(
    what,
    (async () => call())().then(
      () => undefined,
      (error: unknown) => ({ error }),
    ),
  );
  if (outcome === undefined) assert.fail(`${what} must reject; it resolved`);
  return outcome.error;
}

/** Fails unless `call` rejects with a `GatewayError` of this code. */
export async function rejectsWith(
  code: GatewayErrorCode,
  what: string,
  call: () => Promise<unknown>,
): Promise<void> {
  const error = await rejectionOf(what, call);
  if (!GatewayError.is(error, code)) {
    assert.fail(`${what} must reject with ${code}; it rejected with ${nameOf(error)}`);
  }
}

/** Calls by their names, each of which rejects with the reason of a signal that was aborted before. */
export async function rejectWhenAborted(
  calls: Readonly<Record<string, (options: { readonly signal: AbortSignal }) => Promise<unknown>>>,
): Promise<void> {
  const reason = new Error("the caller's own reason");
  const { signal } = abortedWith(reason);
  for (const [name, call] of Object.entries(calls)) {
    const what = `${name} with a signal that was aborted before`;
    const error = await rejectionOf(what, () => call({ signal }));
    assert.equal(error, reason, `${what} must reject with signal.reason itself, not ${nameOf(error)}`);
  }
}

/** Calls by their names, each of which takes its listener off the signal again. */
export async function leaveNoListener(
  calls: Readonly<Record<string, (options: { readonly signal: AbortSignal }) => Promise<unknown>>>,
): Promise<void> {
  for (const [name, call] of Object.entries(calls)) {
    const { signal } = new AbortController();
    await settles(name, call({ signal }));
    const left = getEventListeners(signal, "abort").length;
    assert.equal(left, 0, `${name} left ${left} listeners on the caller's signal`);
  }
}

/** An error for a message: the code, if it is one of ours. */
export function nameOf(error: unknown): string {
  return GatewayError.is(error) ? `${error.code} (${error.message})` : String(error);
}

function abortedWith(reason: unknown): AbortController {
  const controller = new AbortController();
  controller.abort(reason);
  return controller;
}
