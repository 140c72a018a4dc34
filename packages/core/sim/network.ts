import { GatewayError } from "../src/errors.ts";
import type { Random } from "./random.ts";
import type { Recorder } from "./recorder.ts";
import type { LinkPlan } from "./scenario.ts";
import type { SimProcess } from "./sim-process.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** How long a client of a store waits for a lost request or reply before it gives up by itself. */
const GIVE_UP_MS = 3_000;

type Fate = keyof LinkPlan | "none";

/** Whether the world fails at all, and whether the stores are reachable. */
export interface Weather {
  isCalm: boolean;
  isStoreAway: boolean;
  isQueueAway: boolean;
}

export interface NetworkOptions {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly recorder: Recorder;
  readonly plan: LinkPlan;
  readonly weather: Weather;
}

/**
 * What lies between one process and the stores. A request may be lost, late, doubled or refused, and so may its
 * reply; whatever was on its way when the process dies may still arrive.
 */
export class Network {
  readonly #options: NetworkOptions;
  readonly #fates: readonly (readonly [Fate, number])[];

  constructor(options: NetworkOptions) {
    this.#options = options;
    this.#fates = Object.entries(options.plan).filter(([, rate]) => rate > 0) as [Fate, number][];
  }

  /** Brings `apply` to the store and its outcome back to `process`. */
  call<T>(process: SimProcess, name: string, apply: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (!process.isAlive) return new Promise(() => {});
    const { time, random, weather, recorder } = this.#options;
    const isAway = (): boolean => weather.isStoreAway || (weather.isQueueAway && name.startsWith("queue."));
    return new Promise<T>((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const leave = (): void => signal?.removeEventListener("abort", onAbort);
      const onAbort = (): void => {
        leave();
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      const answer = (then: () => void, delayMs: number): void => {
        time.after(delayMs, () =>
          process.deliver(() => {
            leave();
            then();
          }),
        );
      };
      const fail = (delayMs: number): void => {
        answer(() => reject(new GatewayError("STORE_UNAVAILABLE", `${name} failed on the way`)), delayMs);
      };
      const arrive = (delayMs: number, replyMs: number | undefined): void => {
        time.after(delayMs, () => {
          if (!process.isHeard) return;
          if (isAway()) {
            if (replyMs !== undefined) fail(replyMs);
            return;
          }
          apply().then(
            (value) => replyMs !== undefined && answer(() => resolve(value), replyMs),
            (error: unknown) => replyMs !== undefined && answer(() => reject(error), replyMs),
          );
        });
      };
      const fate = this.#fate();
      const thereMs = random.delay(1);
      const backMs = random.delay(1);
      if (fate !== "none") recorder.fault(`link.${fate}`, process.name);
      else if (isAway()) recorder.fault("store.away", process.name);
      switch (fate) {
        case "none":
          return arrive(thereMs, backMs);
        case "lostRequest":
          return fail(GIVE_UP_MS);
        case "errorBefore":
          return fail(thereMs);
        case "lostReply":
          arrive(thereMs, undefined);
          return fail(GIVE_UP_MS);
        case "errorAfter":
          arrive(thereMs, undefined);
          return fail(thereMs + backMs);
        case "late":
          arrive(random.between(500, 8_000), undefined);
          return fail(GIVE_UP_MS);
        case "twice":
          arrive(thereMs, backMs);
          return arrive(thereMs + random.between(1, 3_000), undefined);
        case "slow":
          return arrive(random.between(100, 2_500), random.between(1, 1_500));
      }
    });
  }

  #fate(): Fate {
    const { random, weather } = this.#options;
    if (weather.isCalm || this.#fates.length === 0) return "none";
    let draw = random.next();
    for (const [fate, rate] of this.#fates) {
      if (draw < rate) return fate;
      draw -= rate;
    }
    return "none";
  }
}
