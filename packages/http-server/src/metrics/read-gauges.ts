import type { Deployment, Gateway, Ledger, LedgerStats, ServerStatus } from "@modelgate/core";
import type { Components } from "../options.ts";
import { diskGauges, readDisk } from "./disk-gauges.ts";
import type { LaneHeads } from "./lane-heads.ts";
import { METRICS, type MetricSpec } from "./metric-table.ts";
import type { Family, FirstNames } from "./series.ts";

/** A store that takes longer is left out of this scrape: an absent figure is better than an old or a late one. */
const STATS_TIMEOUT_MS = 2_000;

const SERVER_STATES = ["starting", "ready", "paused", "unhealthy", "draining"] as const;

const DEPLOYMENT_STATES = ["waiting", "deploying", "ready", "draining", "stopping", "failed"] as const;
const DEPLOYMENT_KINDS = ["manual", "auto"] as const;

export interface GaugeSources {
  readonly gateway: Pick<Gateway, "models" | "health" | "deployments">;
  readonly ledger: Pick<Ledger, "stats"> | undefined;
  readonly models: FirstNames;
  readonly heads: LaneHeads;
  readonly dataDir?: string | undefined;
  readonly role?: string | undefined;
  readonly components?: (() => Promise<Components>) | undefined;
}

/** What is so at this moment. */
export async function readGauges({
  gateway,
  ledger,
  models,
  heads,
  dataDir,
  role,
  components: others,
}: GaugeSources): Promise<readonly Family[]> {
  const [health, more, stats, deployments, disk] = await Promise.all([
    gateway.health().catch(() => undefined),
    others?.().catch(() => undefined),
    inTime((signal) => ledger?.stats({ signal })),
    inTime((signal) => gateway.deployments?.list({ signal })),
    inTime(() => (dataDir === undefined ? undefined : readDisk(dataDir))),
  ]);
  const components = Object.entries({ ...health?.components, ...more });
  return [
    gauge(METRICS.role, role === undefined ? [] : [[role, 1]]),
    ...ledgerGauges(stats, models, heads),
    ...serverGauges(gateway, models),
    deploymentGauge(deployments),
    ...diskGauges(disk),
    gauge(
      METRICS.healthy,
      components.map(([name, state]) => [name, state === "healthy" ? 1 : 0]),
    ),
  ];
}

function ledgerGauges(stats: LedgerStats | undefined, models: FirstNames, heads: LaneHeads): Family[] {
  const { lanes = [] } = stats ?? {};
  const waits = stats === undefined ? [] : heads.waits(stats, Date.now());
  return [
    gauge(METRICS.waiting, total(lanes.map(({ model, waiting }) => [models.of(model), waiting]))),
    gauge(METRICS.waitingBytes, total(lanes.map((lane) => [models.of(lane.model), lane.waitingBytes]))),
    gauge(METRICS.headWait, longest(waits.map(([model, ms]) => [models.of(model), ms / 1000]))),
    gauge(
      METRICS.inState,
      stats === undefined
        ? []
        : [
            ["scheduled", stats.scheduled],
            ["running", stats.running],
          ],
    ),
  ];
}

function serverGauges(gateway: Pick<Gateway, "models">, models: FirstNames): Family[] {
  const known = gateway.models();
  // A server of several models is listed with each of them.
  const servers = [
    ...new Map(known.flatMap((model) => model.servers).map((each) => [each.id, each])).values(),
  ];
  const byState = (figure: (server: ServerStatus) => number): [string, number][] =>
    SERVER_STATES.map((state) => {
      const ofState = servers.filter((server) => stateOf(server) === state);
      return [state, ofState.reduce((sum, server) => sum + figure(server), 0)];
    });
  const byModel = (figure: (server: ServerStatus) => number): [string, number][] =>
    total(
      known.map(({ name, servers: own }) => {
        const ready = own.filter((server) => stateOf(server) === "ready");
        return [models.of(name), ready.reduce((sum, server) => sum + figure(server), 0)];
      }),
    );
  return [
    gauge(
      METRICS.servers,
      byState(() => 1),
    ),
    gauge(
      METRICS.slots,
      byState((server) => server.limit),
    ),
    gauge(
      METRICS.inFlight,
      byState((server) => server.inFlight),
    ),
    gauge(
      METRICS.readyServers,
      byModel(() => 1),
    ),
    gauge(
      METRICS.modelSlots,
      byModel((server) => server.limit),
    ),
    gauge(
      METRICS.modelSlotsInUse,
      byModel((server) => server.inFlight),
    ),
  ];
}

function stateOf({ state, isPaused }: ServerStatus): (typeof SERVER_STATES)[number] {
  return state === "ready" && isPaused ? "paused" : state;
}

/** `undefined` where there is nothing to ask, or no answer in time. */
async function inTime<T>(ask: (signal: AbortSignal) => Promise<T> | undefined): Promise<T | undefined> {
  const signal = AbortSignal.timeout(STATS_TIMEOUT_MS);
  const asked = ask(signal);
  if (asked === undefined) return undefined;
  const late = new Promise<undefined>((resolve) => {
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  return Promise.race([asked.catch(() => undefined), late]);
}

/** Every pair is told, so that one that is over goes to zero and does not end. */
function deploymentGauge(deployments: readonly Deployment[] | undefined): Family {
  if (deployments === undefined) return { spec: METRICS.deployments, samples: [] };
  const samples = DEPLOYMENT_STATES.flatMap((state) =>
    DEPLOYMENT_KINDS.map((kind) => ({
      labels: { state, kind },
      value: deployments.filter((each) => each.state === state && each.kind === kind).length,
    })),
  );
  return { spec: METRICS.deployments, samples };
}

/** Models that are `other` together are one. */
function total(figures: readonly (readonly [string, number])[]): [string, number][] {
  const sums = new Map<string, number>();
  for (const [name, value] of figures) sums.set(name, (sums.get(name) ?? 0) + value);
  return [...sums];
}

/** Of models that are `other` together, what waited longest. */
function longest(figures: readonly (readonly [string, number])[]): [string, number][] {
  const most = new Map<string, number>();
  for (const [name, value] of figures) most.set(name, Math.max(most.get(name) ?? 0, value));
  return [...most];
}

function gauge(spec: MetricSpec, values: readonly (readonly [string, number])[]): Family {
  const [label = ""] = spec.labels;
  return { spec, samples: values.map(([name, value]) => ({ labels: { [label]: name }, value })) };
}
