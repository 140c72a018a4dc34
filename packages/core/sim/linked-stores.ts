import type { Ledger } from "../src/contracts/ledger.ts";
import type { Queue } from "../src/contracts/queue.ts";
import type { TaskStore } from "../src/contracts/task-store.ts";
import type { Wakeups, WakeupTopic } from "../src/contracts/wakeups.ts";
import type { Network } from "./network.ts";
import type { Random } from "./random.ts";
import type { SimProcess } from "./sim-process.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** A ledger as one process reaches it. */
export function linkLedger(ledger: Ledger, network: Network, process: SimProcess): Ledger {
  const call = <T>(name: string, apply: () => Promise<T>, signal?: AbortSignal): Promise<T> =>
    network.call(process, name, apply, signal);
  return {
    capabilities: ledger.capabilities,
    submit: (batch, o = {}) => call("ledger.submit", () => ledger.submit(batch), o.signal),
    exchange: (request, o = {}) => call("ledger.exchange", () => ledger.exchange(request), o.signal),
    get: (ids, o = {}) => call("ledger.get", () => ledger.get(ids, { bodies: o.bodies }), o.signal),
    list: (request, o = {}) => call("ledger.list", () => ledger.list(request), o.signal),
    amend: (batch, o = {}) => call("ledger.amend", () => ledger.amend(batch), o.signal),
    sweep: (request, o = {}) => call("ledger.sweep", () => ledger.sweep(request), o.signal),
    stats: (o = {}) => call("ledger.stats", () => ledger.stats(), o.signal),
    close: async () => {},
  };
}

export function linkTaskStore(store: TaskStore, network: Network, process: SimProcess): TaskStore {
  const call = <T>(name: string, apply: () => Promise<T>, signal?: AbortSignal): Promise<T> =>
    network.call(process, name, apply, signal);
  return {
    capabilities: store.capabilities,
    insert: (batch, o = {}) => call("store.insert", () => store.insert(batch), o.signal),
    apply: (request, o = {}) => call("store.apply", () => store.apply(request), o.signal),
    claim: (request, o = {}) => call("store.claim", () => store.claim(request), o.signal),
    get: (ids, o = {}) => call("store.get", () => store.get(ids, { bodies: o.bodies }), o.signal),
    list: (request, o = {}) => call("store.list", () => store.list(request), o.signal),
    amend: (batch, o = {}) => call("store.amend", () => store.amend(batch), o.signal),
    sweep: (request, o = {}) => call("store.sweep", () => store.sweep(request), o.signal),
    stats: (o = {}) => call("store.stats", () => store.stats(), o.signal),
    close: async () => {},
  };
}

export function linkQueue(queue: Queue, network: Network, process: SimProcess): Queue {
  const call = <T>(name: string, apply: () => Promise<T>, signal?: AbortSignal): Promise<T> =>
    network.call(process, name, apply, signal);
  return {
    capabilities: queue.capabilities,
    enqueue: (batch, o = {}) => call("queue.enqueue", () => queue.enqueue(batch), o.signal),
    take: (request, o = {}) => call("queue.take", () => queue.take(request), o.signal),
    settle: (batch, o = {}) => call("queue.settle", () => queue.settle(batch), o.signal),
    remove: (ids, o = {}) => call("queue.remove", () => queue.remove(ids), o.signal),
    stats: (o = {}) => call("queue.stats", () => queue.stats({ lanes: o.lanes }), o.signal),
    incarnation: (o = {}) => call("queue.incarnation", () => queue.incarnation(), o.signal),
    audit: (cursor, limit, o = {}) => call("queue.audit", () => queue.audit(cursor, limit), o.signal),
    close: async () => {},
  };
}

type Listener = {
  readonly process: SimProcess;
  readonly topic: WakeupTopic;
  readonly tell: (names: readonly string[]) => void;
};

/** Hints between the processes of one world; each may be lost, late or doubled. */
export class SharedWakeups {
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #listeners = new Set<Listener>();

  constructor(time: VirtualTime, random: Random) {
    this.#time = time;
    this.#random = random;
  }

  for(process: SimProcess): Wakeups {
    return {
      publish: async (topic, names) => {
        if (!process.isAlive) return;
        for (const listener of this.#listeners) {
          if (listener.topic !== topic || this.#random.chance(0.2)) continue;
          const times = this.#random.chance(0.1) ? 2 : 1;
          for (let at = 0; at < times; at++) {
            this.#time.after(this.#random.delay(2), () =>
              listener.process.deliver(() => listener.tell(names)),
            );
          }
        }
      },
      subscribe: (topic, tell) => {
        const listener: Listener = { process, topic, tell };
        this.#listeners.add(listener);
        process.onDeath(() => this.#listeners.delete(listener));
        return () => this.#listeners.delete(listener);
      },
      close: async () => {},
    };
  }
}
