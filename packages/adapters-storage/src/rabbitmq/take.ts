import type { Delivery, QueueLane, TakeRequest } from "@modelgate/core";
import type { Deliveries, Out } from "./deliveries.ts";
import { decodeEntry } from "./entry-body.ts";
import { fetchMessages } from "./fetch.ts";
import type { KnownQueues } from "./known-queues.ts";
import type { Lines } from "./lines.ts";
import { BANDS, queueNameOf } from "./names.ts";
import { NOT_FOUND, replyCode } from "./rabbitmq-error.ts";

export interface TakeHost {
  readonly prefix: string;
  readonly lines: Lines;
  readonly known: KnownQueues;
  readonly deliveries: Deliveries;
}

/** A queue to be asked, for how much. */
interface Share {
  readonly lane: QueueLane;
  readonly band: number;
  readonly queue: string;
  count: number;
}

/**
 * Looks how much each band has, decides what is taken of which, the most urgent band of all lanes first, and fetches
 * that: never more than was asked for, since what is fetched and not used stands in nobody's order.
 */
export async function take(host: TakeHost, request: TakeRequest, isOver: () => boolean): Promise<Delivery[]> {
  const lanes = request.lanes.filter(({ max }) => max > 0);
  if (lanes.length === 0 || !(request.max > 0)) return [];
  const counts = await countReady(host, lanes, []);
  const shares = allot(host, lanes, request.max, counts);
  const found: { share: Share; outs: readonly { out: Out; delivery: Delivery }[] }[] = [];
  let isUnwanted = false;
  const fetching = host.lines.spread(shares, async (share, line) => {
    const messages = await orNone(fetchMessages(line, share.queue, share.count), host, share.queue);
    host.deliveries.asked(share.queue);
    const outs = messages.flatMap((message) => {
      const entry = decodeEntry(message.content);
      const out = host.deliveries.add(line, message, share.queue);
      if (entry !== undefined) {
        const { lane, background } = share.lane;
        return [{ out, delivery: { ...entry, lane, background, receipt: out.receipt } }];
      }
      host.deliveries.done(out);
      return [];
    });
    found.push({ share, outs });
    if (isUnwanted) for (const { out } of outs) host.deliveries.back(out);
  });
  await fetching.catch((error: unknown) => {
    // What the other queues gave, or still give, is handed to nobody.
    isUnwanted = true;
    for (const { outs } of found) for (const { out } of outs) host.deliveries.back(out);
    throw error;
  });
  found.sort((a, b) => a.share.band - b.share.band);
  const all = found.flatMap(({ outs }) => outs);
  // Nobody waits for them any more.
  if (isOver()) for (const { out } of all) host.deliveries.back(out);
  host.deliveries.backAfter(
    all.map(({ out }) => out),
    request.visibilityMs,
  );
  return all.map(({ delivery }) => delivery);
}

/** How many entries are ready in each queue of these lanes, and in `further` ones. */
export async function countReady(
  { known, lines, prefix }: Pick<TakeHost, "known" | "lines" | "prefix">,
  lanes: readonly QueueLane[],
  further: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  const names = lanes.flatMap((lane) => BANDS.map((band) => queueNameOf(prefix, lane, band)));
  const count = async (some: readonly string[]): Promise<void> => {
    await lines.spread(some, async (name, line) => {
      const checked = await orNone(line.channel.checkQueue(name), { known }, name);
      counts.set(name, Array.isArray(checked) ? 0 : checked.messageCount);
    });
  };
  const before = new Set([...names, ...further].filter((name) => known.has(name)));
  const others = further.filter((name) => !known.has(name));
  // Those that are found now were not counted yet.
  await Promise.all([count([...before, ...others]), known.find(lanes)]);
  await count(names.filter((name) => known.has(name) && !before.has(name)));
  return counts;
}

/** In each band in turn one for each lane and then the next, as long as there is room. */
function allot(
  { prefix, deliveries }: Pick<TakeHost, "prefix" | "deliveries">,
  lanes: TakeRequest["lanes"],
  max: number,
  counts: ReadonlyMap<string, number>,
): Share[] {
  const room = lanes.map((lane) => lane.max);
  let left = max;
  const shares: Share[] = [];
  for (const band of BANDS) {
    const ofBand = lanes.map((lane): Share & { has: number } => {
      const queue = queueNameOf(prefix, lane, band);
      const has = Math.max(counts.get(queue) ?? 0, deliveries.returnedTo(queue));
      return { lane, band, queue, has, count: 0 };
    });
    for (let given = true; given && left > 0; ) {
      given = false;
      for (const [at, share] of ofBand.entries()) {
        if (left === 0 || share.count >= share.has || (room[at] ?? 0) === 0) continue;
        share.count += 1;
        room[at] = (room[at] ?? 0) - 1;
        left -= 1;
        given = true;
      }
    }
    shares.push(...ofBand.filter(({ count }) => count > 0));
  }
  return shares;
}

/** A queue that was deleted has nothing. */
async function orNone<T>(
  asking: Promise<T>,
  { known }: Pick<TakeHost, "known">,
  name: string,
): Promise<T | never[]> {
  try {
    return await asking;
  } catch (error) {
    if (replyCode(error) !== NOT_FOUND) throw error;
    // Those who are told by it wait for nothing that this call needs.
    void known.lost(name).catch(() => {});
    return [];
  }
}
