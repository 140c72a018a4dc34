import type { TrackedRun, Tracking } from "../../../../src/contracts/tracking.ts";
import type { TrackingFixture } from "../../../../src/testing/tracking-kit/fixture.ts";
import type { PlantedFault } from "../lifecycle/failing-tests.ts";
import { planted } from "./broken-trackings.ts";

/** A tracking that changes every run that it tells. */
function changed(good: Tracking, change: (run: TrackedRun) => TrackedRun): Partial<Tracking> {
  return {
    run: async (...call) => {
      const run = await good.run(...call);
      return run && change(run);
    },
    findRuns: async (...call) => (await good.findRuns(...call)).map(change),
  };
}

export const RUNNING_FAULTS: readonly PlantedFault<TrackingFixture>[] = [
  planted(
    "tells what is no number as zero",
    "run tells a run: its name, when it began and ended, and what was logged",
    (good) =>
      changed(good, (run) => {
        const metrics = Object.entries(run.metrics).map(([key, value]) => [
          key,
          Number.isNaN(value) ? 0 : value,
        ]);
        return { ...run, metrics: Object.fromEntries(metrics) };
      }),
  ),
  planted("takes a failure for an end", "a run's state tells whether it goes on, and how it ended", (good) =>
    changed(good, (run) => (run.state === "failed" ? { ...run, state: "succeeded" } : run)),
  ),
  planted("remembers runs", "a run is told as it is now", (good) => {
    const kept = new Map<string, TrackedRun | undefined>();
    return {
      async run(id, ...call) {
        const run = await good.run(id, ...call);
        if (!kept.has(id)) kept.set(id, structuredClone(run));
        return run && run.endedAtMs !== undefined ? kept.get(id) : run;
      },
    };
  }),
  planted("takes odd ids for its first run", "run tells undefined of what is no run", (good) => ({
    run: async (id, ...call) => await good.run(id === "../.." ? "logged0" : id, ...call),
  })),
  planted(
    "takes a name for a beginning",
    "findRuns tells the runs of exactly one name, in any experiment",
    (good) => ({
      async findRuns(filter, ...call) {
        const { name } = filter;
        if (name === undefined || filter.limit !== undefined) return await good.findRuns(filter, ...call);
        const all = await good.findRuns({ ...filter, name: undefined }, ...call);
        return all.filter((run) => run.name?.replace(/-2$/, "") === name);
      },
    }),
  ),
  planted(
    "leaves out what began at the very instant",
    "findRuns tells those that began at an instant or later, the newest first",
    (good) => ({
      async findRuns(filter, ...call) {
        const found = await good.findRuns(filter, ...call);
        if (filter.name !== undefined) return found;
        return found.filter(({ startedAtMs }) => startedAtMs !== filter.sinceMs);
      },
    }),
  ),
  planted(
    "tells the oldest of too many",
    "findRuns tells at most as many as are asked for, of the newest",
    (good) => ({
      async findRuns({ limit = 100, ...filter }, ...call) {
        const found = await good.findRuns(filter, ...call);
        return found.length > 3 ? found.slice(-limit) : found.slice(0, limit);
      },
    }),
  ),
  planted("looks at the first condition only", "all of a filter must hold", (good) => ({
    async findRuns(filter, ...call) {
      const { name, sinceMs, limit } = filter;
      if (name === undefined || limit !== undefined) return await good.findRuns(filter, ...call);
      return await good.findRuns(sinceMs === undefined ? filter : { ...filter, sinceMs: undefined }, ...call);
    },
  })),
  planted("reads a name as a pattern", "a name is no pattern, no condition and no part of one", (good) => ({
    async findRuns(filter, ...call) {
      const { name } = filter;
      if (name === undefined || !name.includes("%")) return await good.findRuns(filter, ...call);
      const all = await good.findRuns({ ...filter, name: undefined }, ...call);
      const exact = name.replaceAll(/[.*+?^${}()|[\]\\/-]/g, "\\$&");
      const pattern = new RegExp(`^${exact.replaceAll("_", ".").replaceAll("%", ".*")}$`);
      return all.filter((run) => pattern.test(run.name ?? ""));
    },
  })),
  planted(
    "hands out the runs that it keeps",
    "who changes a run that was told changes nothing of the tracker's",
    (good) => {
      const kept = new Map<string, TrackedRun>();
      return {
        async run(id, ...call) {
          const run = await good.run(id, ...call);
          if (run === undefined || run.state !== "active") return run;
          if (!kept.has(id)) kept.set(id, run);
          return kept.get(id);
        },
      };
    },
  ),
  planted("does more than it claims", "what is not claimed rejects with UNSUPPORTED", (good) => ({
    capabilities: { ...good.capabilities, runs: false },
  })),
];

export const DESCRIBING_FAULTS: readonly PlantedFault<TrackingFixture>[] = [
  planted(
    "leaves out how a model can be loaded",
    "describe tells what was written down beside a model",
    (good) => ({
      async describe(...call) {
        const told = await good.describe(...call);
        return told && { ...told, flavors: undefined };
      },
    }),
  ),
  planted("describes what is not there", "describe tells undefined where nothing is", (good) => ({
    describe: async (...call) =>
      (await good.describe(...call)) ?? (call[0].startsWith("models:") ? {} : undefined),
  })),
  planted(
    "hands out the description that it keeps",
    "who changes a description that was told changes nothing of the tracker's",
    (good) => {
      const kept = new Map<string, Awaited<ReturnType<Tracking["describe"]>>>();
      return {
        async describe(uri, ...call) {
          const told = await good.describe(uri, ...call);
          if (!kept.has(uri)) kept.set(uri, told);
          return kept.get(uri);
        },
      };
    },
  ),
];
