import { setTimeout as sleep } from "node:timers/promises";
import { type GatewayClient, Refused, Unreachable } from "../client/gateway-client.ts";
import { hasEnded, readTask, type TaskView } from "../client/task-view.ts";

/** Between two looks; short at first, because most tasks take less than a second. */
const FIRST_PAUSE_MS = 40;
const LONGEST_PAUSE_MS = 1_000;
/** A gateway that starts again goes on with the task, so that it is worth waiting for. */
const PATIENCE_MS = 60_000;

export interface WatchOptions {
  readonly signal: AbortSignal;
  /** Told of what each look saw, and `undefined` when the gateway did not answer. */
  readonly onLook: (task: TaskView | undefined) => void;
}

/** Looks at a task until it has ended. Rejects `Unreachable` when the gateway stays away, and `signal.reason`. */
export async function watchTask(client: GatewayClient, id: string, options: WatchOptions): Promise<TaskView> {
  const { signal, onLook } = options;
  let pauseMs = FIRST_PAUSE_MS;
  let awaySinceMs: number | undefined;
  for (;;) {
    try {
      const task = await readTask(client, id, signal);
      onLook(task);
      if (hasEnded(task)) return task;
      awaySinceMs = undefined;
    } catch (error) {
      if (!isAway(error)) throw error;
      awaySinceMs ??= performance.now();
      if (performance.now() - awaySinceMs > PATIENCE_MS) throw error;
      onLook(undefined);
    }
    await sleep(pauseMs, undefined, { signal });
    pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 1.5);
  }
}

function isAway(error: unknown): boolean {
  return error instanceof Unreachable || (error instanceof Refused && error.status === 503);
}
