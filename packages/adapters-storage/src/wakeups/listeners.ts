import type { WakeupTopic } from "@modelgate/core";

export type Listener = (names: readonly string[]) => void;

/** An object for each subscription: the same function may come twice. */
interface Subscription {
  readonly tell: Listener;
}

/** Who listens to what. */
export class Listeners {
  readonly #subscriptions: Record<WakeupTopic, Set<Subscription>> = {
    work: new Set(),
    ended: new Set(),
    deployments: new Set(),
  };

  /** Returns what ends it. */
  add(topic: WakeupTopic, listener: Listener): () => void {
    const subscription: Subscription = { tell: listener };
    this.#subscriptions[topic].add(subscription);
    return () => void this.#subscriptions[topic].delete(subscription);
  }

  tell(topic: WakeupTopic, names: readonly string[]): void {
    const subscriptions = this.#subscriptions[topic];
    for (const subscription of [...subscriptions]) {
      if (!subscriptions.has(subscription)) continue;
      try {
        subscription.tell(names);
      } catch {
        // The contract forbids it; the others are told all the same.
      }
    }
  }

  clear(): void {
    for (const subscriptions of Object.values(this.#subscriptions)) subscriptions.clear();
  }
}
