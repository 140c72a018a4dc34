import type { DiscoveryChange, ModelServer } from "../contracts/discovery.ts";

interface Watcher {
  readonly listener: (change: DiscoveryChange) => void;
  /** The last change that its snapshot contains. */
  readonly since: number;
}

/**
 * Tells changes to every watcher in one order. A listener may itself cause a change: it is told after the one that
 * is being told, to everybody, so that nobody hears old news last.
 */
export class ChangeFeed {
  readonly #watchers = new Set<Watcher>();
  readonly #untold: { readonly change: DiscoveryChange; readonly sequence: number }[] = [];
  #sequence = 0;
  #isTelling = false;

  /** Tells `listener` a snapshot, and from then on every change until the function returned is called. */
  watch(listener: (change: DiscoveryChange) => void, servers: readonly ModelServer[]): () => void {
    const watcher: Watcher = { listener, since: this.#sequence };
    this.#watchers.add(watcher);
    tell(watcher, { kind: "snapshot", servers });
    return () => {
      this.#watchers.delete(watcher);
    };
  }

  announce(change: DiscoveryChange): void {
    this.#sequence += 1;
    this.#untold.push({ change, sequence: this.#sequence });
    if (this.#isTelling) return;
    this.#isTelling = true;
    for (let next = this.#untold.shift(); next !== undefined; next = this.#untold.shift()) {
      for (const watcher of [...this.#watchers]) {
        if (this.#watchers.has(watcher) && watcher.since < next.sequence) tell(watcher, next.change);
      }
    }
    this.#isTelling = false;
  }

  close(): void {
    this.#watchers.clear();
    this.#untold.length = 0;
  }
}

function tell(watcher: Watcher, change: DiscoveryChange): void {
  try {
    watcher.listener(change);
  } catch {
    // The contract forbids it; the other watchers and the probes must not pay for it.
  }
}
