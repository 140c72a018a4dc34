import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import type { Fault } from "../faults.ts";
import type { Answer } from "./answer.ts";

/** Thrown in the middle of an answer where the connection is to be broken. */
export class BrokenOff extends Error {
  constructor() {
    super("The answer is broken off on purpose.");
    this.name = "BrokenOff";
  }
}

/** An answer whose body begins late, stands still or breaks off, as the fault says. */
export function disturb(answer: Answer, fault: Fault, signal: AbortSignal): Answer {
  return { ...answer, body: disturbed(answer.body, fault, signal) };
}

async function* disturbed(
  body: Answer["body"],
  { kind, ms, after = 1 }: Fault,
  signal: AbortSignal,
): AsyncGenerator<string> {
  if (kind === "slow_first_byte") await sleep(ms, undefined, { signal });
  let sent = 0;
  for await (const piece of typeof body === "string" ? halvesOf(body) : body) {
    if (kind !== "slow_first_byte" && sent >= after) {
      if (kind === "stall") await hungUp(signal);
      // What was written is to reach the client first.
      await turn();
      throw new BrokenOff();
    }
    yield piece;
    sent += 1;
  }
}

function halvesOf(body: string): string[] {
  const middle = body.length >> 1;
  return [body.slice(0, middle), body.slice(middle)];
}

export function hungUp(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
