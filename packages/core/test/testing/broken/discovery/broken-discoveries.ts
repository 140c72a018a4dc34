import { setTimeout as sleep } from "node:timers/promises";
import type { Discovery, DiscoveryChange, ModelServer } from "../../../../src/contracts/discovery.ts";
import type { DiscoveryFixture } from "../../../../src/testing/discovery-kit/fixture.ts";
import type { PlantedFault } from "../lifecycle/failing-tests.ts";
import { RelayDiscovery, relayFixture } from "./relay-discovery.ts";

type Listener = (change: DiscoveryChange) => void;

/** A discovery that does something else with some of its methods. */
function planted(
  fault: string,
  breaks: string,
  change: (good: RelayDiscovery) => Partial<Discovery>,
): PlantedFault<DiscoveryFixture> {
  return {
    fault,
    breaks,
    open() {
      const fixture = relayFixture();
      const good = fixture.discovery;
      const methods: Discovery = {
        capabilities: good.capabilities,
        watch: (listener, options) => good.watch(listener, options),
        refresh: (options) => good.refresh(options),
        close: () => good.close(),
      };
      return { ...fixture, discovery: { ...methods, ...change(good) } };
    },
  };
}

/** A discovery whose connection brings it something else. */
function receiving(
  fault: string,
  breaks: string,
  change: (change: DiscoveryChange, pass: Listener) => void,
): PlantedFault<DiscoveryFixture> {
  class Broken extends RelayDiscovery {
    protected override receive(told: DiscoveryChange): void {
      change(told, (passed) => super.receive(passed));
    }
  }
  return { fault, breaks, open: () => relayFixture((source) => new Broken(source)) };
}

export const DISCOVERY_FAULTS: readonly PlantedFault<DiscoveryFixture>[] = [
  planted(
    "resolves first and tells the snapshot then",
    "watch tells a snapshot before it resolves, and nothing before that",
    (good) => ({
      watch(listener, options) {
        const late: DiscoveryChange[] = [];
        let isLate = true;
        setTimeout(() => {
          isLate = false;
          for (const change of late) tell(listener, change);
        }, 1);
        return good.watch((change) => {
          if (isLate) late.push(change);
          else listener(change);
        }, options);
      },
    }),
  ),
  planted(
    "tells everybody anew when somebody comes",
    "a second watcher is given a snapshot of its own, and the first one no other",
    (good) => {
      const all = new Set<Listener>();
      return {
        async watch(listener, options) {
          const known: ModelServer[] = [];
          const stop = await good.watch((change) => {
            if (change.kind === "snapshot") known.push(...change.servers);
            listener(change);
          }, options);
          if (all.size === 1 && known.length === 1) {
            for (const other of all) other({ kind: "snapshot", servers: known });
          }
          all.add(listener);
          return () => {
            all.delete(listener);
            stop();
          };
        },
      };
    },
  ),
  planted("lists first and subscribes later", "what changes while watch is called is not missed", (good) => ({
    async watch(listener, options) {
      let snapshot: DiscoveryChange | undefined;
      const stopFirst = await good.watch((change) => {
        snapshot ??= change;
      }, options);
      stopFirst();
      if (snapshot !== undefined) tell(listener, snapshot);
      await sleep(5);
      let isListed = false;
      return await good.watch((change) => {
        if (isListed) listener(change);
        isListed = true;
      }, options);
    },
  })),
  planted(
    "tells a watcher once more after it was stopped",
    "a watcher that was stopped is told nothing more, and the others are",
    (good) => ({
      async watch(listener, options) {
        let isStopped = false;
        let isOver = false;
        const stop = await good.watch((change) => {
          if (isOver) return;
          isOver = isStopped;
          listener(change);
        }, options);
        return () => {
          if (isStopped) return;
          isStopped = true;
          setTimeout(stop, 50);
        };
      },
    }),
  ),
  planted("goes on telling after it was closed", "after close, nothing is told", (good) => {
    let last: Listener | undefined;
    return {
      async watch(listener, options) {
        last = listener;
        return await good.watch(listener, options);
      },
      async close() {
        await good.close();
        setTimeout(() => last && tell(last, { kind: "removed", id: "server-m" }), 20);
      },
    };
  }),
  planted(
    "tells news a while after refresh has resolved",
    "refresh resolves when the news have been told",
    (good) => ({
      watch(listener, options) {
        return good.watch((change) => {
          if (change.kind !== "upsert" || change.server.models[0] !== "m") listener(change);
          else setTimeout(() => tell(listener, change), 20);
        }, options);
      },
    }),
  ),
  receiving(
    "keeps a server that drains as ready until it is gone",
    "a server is told as draining when its stop is asked for, not when it is over",
    (change, pass) => {
      if (change.kind !== "upsert" || change.server.state !== "draining") pass(change);
    },
  ),
  receiving(
    "takes a server that was ready and is not for one that starts",
    "a server is starting until it was ready once, and unhealthy when it was and is not",
    (change, pass) => {
      pass(change);
      if (change.kind === "upsert" && change.server.state === "unhealthy") {
        pass({ kind: "upsert", server: { ...change.server, state: "starting" } });
        pass(change);
      }
    },
  ),
  receiving(
    "adds what it finds after an interruption to what it knew",
    "after an interruption, all is told again as a new snapshot, without what has gone meanwhile",
    (() => {
      const seen = new Map<string, ModelServer>();
      return (change: DiscoveryChange, pass: Listener): void => {
        if (change.kind === "snapshot" && change.servers.some(({ id }) => id === "server-added")) {
          pass({ kind: "snapshot", servers: [...seen.values(), ...change.servers] });
          return;
        }
        if (change.kind === "upsert" && change.server.id === "server-gone") seen.set("gone", change.server);
        pass(change);
      };
    })(),
  ),
  {
    fault: "gives a server an id of its own",
    breaks: "a server has the same id in every discovery that sees it",
    open() {
      const fixture = relayFixture();
      let opened = 0;
      return {
        ...fixture,
        async another() {
          opened += 1;
          const other = (await fixture.another?.()) as Discovery;
          const renamed = (server: ModelServer): ModelServer => ({ ...server, id: `${opened}-${server.id}` });
          return {
            capabilities: other.capabilities,
            watch: (listener, options) =>
              other.watch((change) => {
                if (change.kind !== "snapshot") return;
                listener({ kind: "snapshot", servers: change.servers.map(renamed) });
              }, options),
            refresh: (options) => other.refresh(options),
            close: () => other.close(),
          };
        },
      };
    },
  },
];

function tell(listener: Listener, change: DiscoveryChange): void {
  try {
    listener(change);
  } catch {
    // Not the others' affair.
  }
}
