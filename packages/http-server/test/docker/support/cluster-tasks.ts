import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, call } from "../../support/http-client.ts";

const GIVE_UP_MS = 60_000;

/** Where tasks may be sent now; it changes when processes die. */
export type Addresses = () => readonly string[];

export interface Submitted {
  readonly id: string;
  /** How many times it had to be sent, because the process that took it was gone before it answered. */
  readonly sends: number;
}

/**
 * Submits a task, again and under the same key when the connection broke: the caller of a process that was killed
 * cannot know. Throws at any answer but acceptance.
 */
export async function submitTask(model: string, urls: Addresses, turn = 0): Promise<Submitted> {
  const key = randomUUID();
  const untilMs = performance.now() + GIVE_UP_MS;
  for (let sends = 1; performance.now() < untilMs; sends += 1) {
    const all = urls();
    const url = all[(turn + sends - 1) % all.length];
    const answer = url === undefined ? undefined : await tryCall(url, model, key);
    if (answer?.status === 200) return { id: answer.json.uuid, sends };
    // 409: the first that was sent is still being taken.
    if (answer !== undefined && answer.status !== 409) {
      throw new Error(`task refused: ${answer.status} ${answer.text}`);
    }
    await sleep(100);
  }
  throw new Error("a task could not be submitted");
}

async function tryCall(url: string, model: string, key: string): Promise<Answer | undefined> {
  const headers = { "content-type": "text/plain", "idempotency-key": key };
  try {
    return await Promise.race([
      call(url, `/models/${model}/tasks/process`, { method: "POST", headers, body: "a text of a task" }),
      // A process that stands still answers nobody.
      sleep(15_000, undefined, { ref: false }),
    ]);
  } catch {
    return undefined;
  }
}

/** Resolves to how each task ended, once all have. */
export async function endingsOf(
  ids: readonly string[],
  urls: Addresses,
  limitMs = 60_000,
): Promise<string[]> {
  const untilMs = performance.now() + limitMs;
  const endings = new Map<string, string>();
  while (endings.size < ids.length && performance.now() < untilMs) {
    const [url] = urls();
    for (const id of ids) {
      if (url === undefined || endings.has(id)) continue;
      const status = await call(url, `/tasks/${id}?detail=true`).then(
        ({ json }) => json.status as string,
        () => "unknown",
      );
      if (["succeeded", "failed", "cancelled"].includes(status)) endings.set(id, status);
      else break;
    }
    if (endings.size < ids.length) await sleep(50);
  }
  return ids.map((id) => endings.get(id) ?? "not ended");
}

/** The same endings as a count of each. */
export function tally(endings: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const ending of endings) counts[ending] = (counts[ending] ?? 0) + 1;
  return counts;
}
