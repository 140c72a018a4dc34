import type { Deployer } from "../../../../src/contracts/deployer.ts";
import { GatewayError } from "../../../../src/errors.ts";
import { type DeployerFault, planted, plantedForAll, unless } from "./tools.ts";

/** The methods that change something, each told of before and after. */
function observed(good: Deployer, onBegin: () => void, onEnd: () => void = () => {}): Partial<Deployer> {
  const seen = async <T>(work: () => Promise<T>): Promise<T> => {
    onBegin();
    return await work().finally(onEnd);
  };
  return {
    create: (...call) => seen(() => good.create(...call)),
    start: (...call) => seen(() => good.start(...call)),
    remove: (...call) => seen(() => good.remove(...call)),
  };
}

export const hinting: readonly DeployerFault[] = [
  plantedForAll(
    "tells of its own changes alone",
    "who watches is told that something may have changed, also by another process",
    () => {
      let last: Deployer | undefined;
      return (good) => ({
        ...observed(good, () => {
          last = good;
        }),
        watch: (installation, listener) =>
          good.watch(installation, () => {
            if (last === good) listener();
          }),
      });
    },
  ),
  plantedForAll(
    "tells only of what it was asked for",
    "who watches is told that a server ended by itself",
    () => {
      let underWay = 0;
      return (good) => ({
        ...observed(
          good,
          () => {
            underWay += 1;
          },
          () => {
            underWay -= 1;
          },
        ),
        watch: (installation, listener) =>
          good.watch(installation, () => {
            if (underWay > 0) listener();
          }),
      });
    },
  ),
  planted(
    "goes on telling who was stopped",
    "a watcher that was stopped is told nothing more, and the others are",
    (good) => ({
      watch(...call) {
        good.watch(...call);
        return () => {};
      },
    }),
  ),
  planted(
    "knows a listener once",
    "a listener that watches twice is told until both watches are stopped",
    (good) => {
      const known = new Map<() => void, () => void>();
      return {
        watch(installation, listener) {
          const stop = known.get(listener) ?? good.watch(installation, listener);
          known.set(listener, stop);
          return stop;
        },
      };
    },
  ),
  planted(
    "tells nobody after one that throws",
    "a watcher that throws harms neither the others nor who changes something",
    (good) => {
      const listeners = new Set<() => void>();
      let isWatched = false;
      return {
        watch(installation, listener) {
          const stop = good.watch(installation, () => {
            for (const each of listeners) each();
          });
          if (isWatched) stop();
          isWatched = true;
          const own = (): void => listener();
          listeners.add(own);
          return () => void listeners.delete(own);
        },
      };
    },
  ),
  planted(
    "lists nothing when the engine is away",
    "while the engine does not answer, every call rejects with DEPLOYER_UNAVAILABLE",
    (good) => ({
      list: (...call) => unless("DEPLOYER_UNAVAILABLE", good.list(...call), () => []),
    }),
  ),
  planted(
    "does not come back from an outage that it met",
    "after an outage everything works again, and what there was is there",
    (good) => {
      let lost: GatewayError | undefined;
      return {
        async list(...call) {
          if (lost !== undefined) throw lost;
          return await unless("DEPLOYER_UNAVAILABLE", good.list(...call), (error) => {
            lost = error;
            throw error;
          });
        },
      };
    },
  ),
  planted(
    "takes what was broken off for done",
    "what an outage broke off can be done again, and is done once",
    (good) => {
      const begun = new Set<string>();
      return {
        async create(spec, identity, ...call) {
          if (begun.has(identity.model)) throw new GatewayError("NAME_TAKEN", "it is being made");
          return await unless("DEPLOYER_UNAVAILABLE", good.create(spec, identity, ...call), (error) => {
            begun.add(identity.model);
            throw error;
          });
        },
      };
    },
  ),
  planted(
    "hears nothing after an outage",
    "who watches over an outage is told of changes after it",
    (good, engine) => {
      let wasCut = false;
      const stop = engine.stopEngine.bind(engine);
      engine.stopEngine = (options) => {
        wasCut = true;
        stop(options);
      };
      return {
        watch: (installation, listener) =>
          good.watch(installation, () => {
            if (!wasCut) listener();
          }),
      };
    },
  ),
  planted(
    "takes no signal",
    "a signal that was aborted before makes every method reject with its reason, and nothing happens",
    (good) => ({ list: (installation) => good.list(installation) }),
  ),
  planted(
    "wraps the reason of an abort",
    "a server that is made while its signal aborts is made or not, and rejects with nothing but the reason",
    (good) => ({
      async create(spec, identity, options = {}) {
        options.signal?.throwIfAborted();
        return await good.create(spec, identity, options).catch((error: unknown) => {
          throw options.signal?.aborted ? new Error("aborted", { cause: error }) : error;
        });
      },
    }),
  ),
  planted(
    "leaves a listener on a signal",
    "a call that is over has left no listener on the caller's signal",
    (good) => ({
      list(installation, options) {
        options?.signal?.addEventListener("abort", () => {});
        return good.list(installation, options);
      },
    }),
  ),
  planted(
    "can be watched after it was closed",
    "after close, start, logs and watch fail with CLOSED",
    (good) => ({
      watch(...call) {
        try {
          return good.watch(...call);
        } catch {
          return () => {};
        }
      },
    }),
  ),
  planted(
    "ends its servers when it is closed",
    "close ends neither a server nor another deployer, and hints of it are told no more",
    (good, engine) => ({
      async close() {
        await good.close();
        for (const { id } of engine.servers) engine.kill(id);
      },
    }),
  ),
];
