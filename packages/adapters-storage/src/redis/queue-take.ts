import type { Delivery, QueueLane } from "@modelgate/core";
import type { RedisArgument } from "./connection.ts";
import { readMember, toReceipt } from "./entry-codec.ts";
import type { QueueHost } from "./queue-host.ts";
import { MOST_ENTRIES } from "./scripts/shared.ts";
import { TAKE } from "./scripts/take.ts";

/** Lanes by their prefix, none with a bound above `max`, which is at most `MOST_ENTRIES`. */
export interface TakeShare {
  readonly lanes: ReadonlyMap<string, { readonly lane: QueueLane; readonly max: number }>;
  readonly max: number;
  readonly visibilityMs: number;
}

interface Caller {
  readonly max: number;
  readonly resolve: (deliveries: Delivery[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Calls that ask for the same, so that they are one request, whose reply is dealt out. */
interface Request {
  readonly share: TakeShare;
  max: number;
  readonly callers: Caller[];
}

/** A script that makes ready what is due does so this often before the order of the rest is let go. */
const MOST_ROUNDS = 64;
const MOST_LANES = 2_000;

/** Takes that one script does together. */
export class TakeBatch {
  readonly #requests = new Map<string, Request>();
  #entries = 0;
  #lanes = 0;

  get size(): number {
    return this.#entries;
  }

  hasRoomFor({ max, lanes }: TakeShare): boolean {
    if (this.#requests.size === 0) return true;
    return this.#entries + max <= MOST_ENTRIES && this.#lanes + lanes.size <= MOST_LANES;
  }

  add(share: TakeShare): Promise<Delivery[]> {
    this.#entries += share.max;
    const key = keyOf(share) ?? `${this.#requests.size}`;
    let request = this.#requests.get(key);
    if (request === undefined) {
      request = { share, max: 0, callers: [] };
      this.#requests.set(key, request);
      this.#lanes += share.lanes.size;
    }
    request.max += share.max;
    const { callers } = request;
    return new Promise((resolve, reject) => callers.push({ max: share.max, resolve, reject }));
  }

  /** Never rejects: those who share it are told. */
  async send(host: QueueHost, keys: readonly string[], token: string): Promise<void> {
    const requests = [...this.#requests.values()];
    try {
      const args = requests.flatMap(toArgs);
      const replies = await takeReady(host, keys, token, args);
      requests.forEach((request, at) => {
        deal(request, replies[at] ?? [], token);
      });
    } catch (error) {
      for (const { callers } of requests) for (const { reject } of callers) reject(error);
    }
  }
}

/** Requests of one lane, and those for one entry each, come to the same whether they are made one by one or at once. */
function keyOf({ lanes, max, visibilityMs }: TakeShare): string | undefined {
  if (lanes.size === 1) return `${visibilityMs} ${[...lanes.keys()][0]}`;
  return max === 1 ? `${visibilityMs} ${[...lanes.keys()].join("")}` : undefined;
}

function toArgs({ share, max, callers }: Request): RedisArgument[] {
  const args: RedisArgument[] = [share.visibilityMs, max, share.lanes.size];
  for (const [prefix, lane] of share.lanes) args.push(prefix, callers.length > 1 ? max : lane.max);
  return args;
}

async function takeReady(
  host: QueueHost,
  keys: readonly string[],
  token: string,
  args: readonly RedisArgument[],
): Promise<string[][]> {
  for (let round = 1; ; round += 1) {
    const isLast = round === MOST_ROUNDS ? 1 : 0;
    const reply = await host.evaluate(TAKE, keys, [token, isLast, ...args]);
    const [hasMore, ...members] = reply as [number, ...string[][]];
    if (hasMore === 0) return members;
  }
}

function deal({ share, callers }: Request, members: readonly string[], token: string): void {
  let at = 0;
  for (const { max, resolve } of callers) {
    resolve(members.slice(at, at + max).map((member) => toDelivery(share, member, token)));
    at += max;
  }
}

function toDelivery({ lanes }: TakeShare, member: string, token: string): Delivery {
  const { prefix, rank, id } = readMember(member);
  const { lane, background } = lanes.get(prefix)?.lane ?? { lane: "", background: false };
  return { id, lane, background, rank, receipt: toReceipt(token, id) };
}
