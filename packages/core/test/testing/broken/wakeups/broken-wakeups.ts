import type { Wakeups, WakeupTopic } from "../../../../src/contracts/wakeups.ts";
import { type MemoryWakeupsHub, memoryWakeups, memoryWakeupsHub } from "../../../../src/memory/wakeups.ts";
import type { WakeupsFixture } from "../../../../src/testing/wakeups-kit/wakeups-kit.ts";
import type { PlantedFault } from "../lifecycle/failing-tests.ts";

type Listener = (names: readonly string[]) => void;

interface WakeupsFault extends PlantedFault<WakeupsFixture> {
  /** Plants it into any client; the hub is what keeps telling one that was closed. */
  readonly change: (good: Wakeups, hub: MemoryWakeupsHub) => Partial<Wakeups>;
}

function planted(
  fault: string,
  breaks: string,
  change: (good: Wakeups, hub: MemoryWakeupsHub) => Partial<Wakeups>,
): WakeupsFault {
  return {
    fault,
    breaks,
    change,
    open() {
      const hub = memoryWakeupsHub();
      const [one, two] = [memoryWakeups({ hub }), memoryWakeups({ hub })] as const;
      return {
        wakeups: { ...one, ...change(one, hub) },
        other: { ...two, ...change(two, hub) },
        async close() {
          await Promise.all([one.close(), two.close()]);
        },
      };
    },
  };
}

export const WAKEUPS_FAULTS: readonly WakeupsFault[] = [
  planted("tells one topic's hints to the other's listeners", "topics are told apart", (good) => ({
    subscribe(topic, listener) {
      const other: WakeupTopic = topic === "work" ? "ended" : "work";
      const stops = [good.subscribe(topic, listener), good.subscribe(other, listener)];
      return () => {
        for (const stop of stops) stop();
      };
    },
  })),
  planted("knows two topics only, and takes a third for the last", "topics are told apart", (good) => ({
    publish: (topic, names, options) =>
      good.publish(topic === "deployments" ? "ended" : topic, names, options),
    subscribe: (topic, listener) => good.subscribe(topic === "deployments" ? "ended" : topic, listener),
  })),
  planted(
    "stops telling when a listener throws",
    "a listener that throws harms neither the others nor the publisher",
    (good) => {
      const own: Record<WakeupTopic, Set<Listener>> = {
        work: new Set(),
        ended: new Set(),
        deployments: new Set(),
      };
      const isJoined = { work: false, ended: false, deployments: false };
      return {
        subscribe(topic, listener) {
          // One subscription for all: what one of them throws ends the round.
          if (!isJoined[topic]) {
            good.subscribe(topic, (names) => {
              for (const each of [...own[topic]]) if (own[topic].has(each)) each(names);
            });
          }
          isJoined[topic] = true;
          const each: Listener = (names) => listener(names);
          own[topic].add(each);
          return () => own[topic].delete(each);
        },
      };
    },
  ),
  planted(
    "keeps one subscription for each function",
    "a function that subscribed twice hears until both subscriptions are stopped",
    (good) => {
      const stops = new Map<Listener, () => void>();
      return {
        subscribe(topic, listener) {
          if (!stops.has(listener)) stops.set(listener, good.subscribe(topic, listener));
          return () => {
            stops.get(listener)?.();
            stops.delete(listener);
          };
        },
      };
    },
  ),
  planted(
    "joins names by a comma on their way",
    "a hint names what was published, letter by letter, and nothing else",
    (good) => ({
      publish: (topic, names, options) => good.publish(topic, [names.join(",")], options),
      subscribe: (topic, listener) => good.subscribe(topic, (names) => listener(names.join(",").split(","))),
    }),
  ),
  planted(
    "tells a listener once more after it was stopped",
    "a listener that was stopped hears nothing more, and the others do",
    (good) => ({
      subscribe(topic, listener) {
        let isStopped = false;
        let isTelling = false;
        let hasHeard = false;
        const end = good.subscribe(topic, (names) => {
          if (isStopped) end();
          hasHeard = true;
          isTelling = true;
          listener(names);
          isTelling = false;
        });
        return () => {
          // One that stops itself, or never heard a thing, is let go of at once.
          if (isTelling || !hasHeard) end();
          isStopped = true;
        };
      },
    }),
  ),
  planted(
    "keeps the listeners of a closed client",
    "a client that was closed hears nothing more, and the others do",
    (good, hub) => ({
      subscribe(topic, listener) {
        const stop = good.subscribe(topic, () => {});
        const own: Listener = (names) => listener(names);
        hub.listeners[topic].add(own);
        return () => {
          stop();
          hub.listeners[topic].delete(own);
        };
      },
    }),
  ),
];
