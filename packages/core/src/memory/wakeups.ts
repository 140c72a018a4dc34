import type { Wakeups, WakeupTopic } from "../contracts/wakeups.ts";
import { GatewayError } from "../errors.ts";
import { openness } from "../openness.ts";

type Listener = (names: readonly string[]) => void;

/** What the wake-ups of one process share, so that its gateways hear each other. Opaque. */
export interface MemoryWakeupsHub {
  readonly listeners: Readonly<Record<WakeupTopic, Set<Listener>>>;
}

export interface MemoryWakeupsOptions {
  /** Default: one's own, which only the users of this object share. */
  readonly hub?: MemoryWakeupsHub | undefined;
}

export function memoryWakeupsHub(): MemoryWakeupsHub {
  return { listeners: { work: new Set(), ended: new Set(), deployments: new Set() } };
}

/** Hints within one process. */
export function memoryWakeups(options: MemoryWakeupsOptions = {}): Wakeups {
  const { hub = memoryWakeupsHub() } = options;
  const stops = new Set<() => void>();
  const guard = openness("memory wakeups", () => {
    for (const stop of stops) stop();
  });
  return {
    publish: guard.wrap(async (topic, names) => {
      const listeners = hub.listeners[topic];
      // Later, so that a publisher is not entered again by what it causes.
      queueMicrotask(() => {
        for (const listener of [...listeners]) if (listeners.has(listener)) tell(listener, names);
      });
    }),
    subscribe(topic, listener) {
      if (guard.isClosed) throw new GatewayError("CLOSED", "the memory wakeups is closed");
      // One of its own for each subscription, so that the same function may subscribe twice.
      const own: Listener = (names) => listener(names);
      const stop = (): void => {
        hub.listeners[topic].delete(own);
        stops.delete(stop);
      };
      hub.listeners[topic].add(own);
      stops.add(stop);
      return stop;
    },
    close: guard.close,
  };
}

function tell(listener: Listener, names: readonly string[]): void {
  try {
    listener(names);
  } catch {
    // The contract forbids it; the other listeners must not pay for it.
  }
}
