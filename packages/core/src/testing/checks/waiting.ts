import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

/** Longer than anything that works needs, also on a busy machine or over a network. The kits' own tests shorten it. */
export const patience: { ms: number } = { ms: 10_000 };

/** Long enough for what must not happen to happen, as a rule. */
const GRACE_MS = 100;

const POLL_MS = 5;

export async function pause(ms: number = GRACE_MS): Promise<void> {
  await sleep(ms);
}

/** What `work` settles with; fails when it hangs. `what` names it, for the message. */
export async function settles<T>(what: string, work: Promise<T>, ms: number = patience.ms): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new assert.AssertionError({ message: `${what} did not settle within ${ms} ms` })),
      ms,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves as soon as `holds` does; fails when that takes too long. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  ms: number = patience.ms,
): Promise<void> {
  const giveUpAtMs = performance.now() + ms;
  while (!(await holds())) {
    if (performance.now() > giveUpAtMs) assert.fail(`${what}: it is not so after ${ms} ms`);
    await sleep(POLL_MS);
  }
}
