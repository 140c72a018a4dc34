import type { Random } from "../../../sim/random.ts";
import type { SimProcess } from "../../../sim/sim-process.ts";
import type { VirtualTime } from "../../../sim/virtual-time.ts";

/** A call of a process to what it shares with others. */
export interface LinkedCall {
  /** `deployer.create`, `records.put`, … */
  readonly name: string;
  readonly process: SimProcess;
}

export interface LinkContext {
  readonly process: SimProcess;
  readonly time: VirtualTime;
  readonly random: Random;
  readonly delayMs: number;
  /** Told before a call leaves the process, and after it was carried out: at either the process may die. */
  readonly on: (at: "before" | "after", call: LinkedCall) => void;
}

const SLOW_MS = 600;

/**
 * `target` as one process reaches it over a network: calls and replies take time, and neither comes to a process that
 * died. What answers at once (`watch`, `capabilities`) is left as it is, but tells only the living.
 */
export function link<T extends object>(kind: string, target: T, context: LinkContext): T {
  const { process, time, random, delayMs, on } = context;
  const call = (name: string, work: () => Promise<unknown>): Promise<unknown> =>
    new Promise((resolve, reject) => {
      on("before", { name, process });
      // Now and then a call is under way for long, while others learn what it does not know.
      const slowMs = random.chance(0.03) ? random.between(0, SLOW_MS) : 0;
      time.after(random.delay(delayMs) + slowMs, () => {
        if (!process.isHeard) return;
        const reply = (settle: () => void): void => {
          on("after", { name, process });
          time.after(random.delay(delayMs) + slowMs / 3, () => process.deliver(settle));
        };
        work().then(
          (value) => reply(() => resolve(value)),
          (error: unknown) => reply(() => reject(error)),
        );
      });
    });
  return new Proxy(target, {
    get(subject, name) {
      const found: unknown = Reflect.get(subject, name);
      if (typeof found !== "function" || typeof name !== "string") return found;
      return (...given: unknown[]) => {
        if (name === "logs") return found.apply(subject, given);
        if (kind === "deployer" && name === "watch") {
          const listener = given[1] as () => void;
          return found.call(subject, given[0], () => process.deliver(listener));
        }
        if (kind === "discovery" && name === "watch") {
          const listener = given[0] as (change: unknown) => void;
          return found.call(subject, (change: unknown) => process.deliver(() => listener(change)));
        }
        return call(`${kind}.${name}`, async () => found.apply(subject, given));
      };
    },
  });
}
