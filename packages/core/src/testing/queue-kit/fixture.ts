import assert from "node:assert/strict";
import type { Delivery, Queue, QueueEntry, TakeRequest } from "../../contracts/queue.ts";
import type { KitFixture, KitTest } from "../kit/kit.ts";
import { LONG_MS } from "../support/builders.ts";
import { type Elapsing, elapse } from "../support/checks.ts";

/** An empty queue, and what a test may do with the world around it. */
export interface QueueFixture extends KitFixture, Elapsing {
  readonly queue: Queue;
  /** A further client of the same backend: another connection or process. Needed when it claims to be shared. */
  another?: (() => Promise<Queue>) | undefined;
  /**
   * Loses everything that waits, as a flush, a purge or a restart of the backend would. Absent where nothing can be
   * lost.
   */
  loseAll?: (() => Promise<void>) | undefined;
}

export type QueueTest = KitTest<QueueFixture>;

/** So many clients of one backend. A queue that is not shared is all of them. */
export async function queuesOf(fixture: QueueFixture, count: number): Promise<readonly Queue[]> {
  const queues = [fixture.queue];
  while (queues.length < count) {
    if (fixture.another !== undefined) queues.push(await fixture.another());
    else if (fixture.queue.capabilities.shared)
      throw new Error("it claims to be shared, so the fixture must have `another`");
    else queues.push(fixture.queue);
  }
  return queues;
}

export function unlessExact({ queue }: QueueFixture): string | undefined {
  return queue.capabilities.order === "exact" ? undefined : "it claims an order by bands only";
}

export function unlessKeyed({ queue }: QueueFixture): string | undefined {
  return queue.capabilities.keyed ? undefined : "its entries are not found by their id";
}

export function unlessUnkeyed({ queue }: QueueFixture): string | undefined {
  return queue.capabilities.keyed ? "its entries are found by their id" : undefined;
}

/** How late a queue may be whose entries are not keyed. */
const LATE_MS = 5_000;
const STEP_MS = 50;

/** What must hold at once, or, where entries are not keyed, after a while. The check may be made many times. */
export async function holdsSoon(fixture: QueueFixture, check: () => Promise<void>): Promise<void> {
  const tries = fixture.queue.capabilities.keyed ? 0 : LATE_MS / STEP_MS;
  for (let left = tries; ; left -= 1) {
    try {
      await check();
      return;
    } catch (error) {
      if (left <= 0 || !(error instanceof assert.AssertionError)) throw error;
    }
    await elapse(fixture, STEP_MS);
  }
}

/** Takes until so many were handed out, at once or, where entries are not keyed, after a while. */
export async function takeAll(
  fixture: QueueFixture,
  count: number,
  ...[queue, ...asked]: Parameters<typeof take>
): Promise<readonly Delivery[]> {
  const deliveries = [...(await take(queue, ...asked))];
  await holdsSoon(fixture, async () => {
    if (deliveries.length < count) deliveries.push(...(await take(queue, ...asked)));
    if (deliveries.length < count) assert.fail(`${deliveries.length} of ${count} were handed out`);
  });
  return deliveries;
}

/** An entry of lane `m` that is ready. */
export function entryOf(id: string, parts: Partial<QueueEntry> = {}): QueueEntry {
  return { id, lane: "m", background: false, rank: 0, delayMs: 0, ...parts };
}

/** Takes everything that is ready in some lanes, unless told otherwise. */
export function take(
  queue: Queue,
  lanes: readonly string[] = ["m"],
  parts: Partial<TakeRequest> & { readonly background?: boolean } = {},
): Promise<readonly Delivery[]> {
  const { background = false, ...rest } = parts;
  const asked = lanes.map((lane) => ({ lane, background, max: 1000 }));
  return queue.take({ lanes: asked, max: 1000, visibilityMs: LONG_MS, ...rest });
}

export function idsOf(deliveries: readonly Delivery[]): string[] {
  return deliveries.map(({ id }) => id);
}
