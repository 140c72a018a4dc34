import type { Gateway, Ledger } from "@modelgate/core";
import type { Components } from "../options.ts";
import { DeploymentMetrics } from "./deployment-metrics.ts";
import { DirectMetrics } from "./direct-metrics.ts";
import { LaneHeads } from "./lane-heads.ts";
import { busySeconds } from "./loop-busy.ts";
import { METRICS_PARTS, type MetricsPart, partOf } from "./metric-parts.ts";
import { METRICS } from "./metric-table.ts";
import { readGauges } from "./read-gauges.ts";
import type { MetricsText } from "./render-metrics.ts";
import { RequestMetrics } from "./request-metrics.ts";
import { type Family, FirstNames } from "./series.ts";
import { TaskMetrics } from "./task-metrics.ts";
import type { TimedLedger } from "./time-ledger.ts";

export interface MetricsOptions {
  /**
   * The gateway's own, whose waiting tasks each scrape tells; one of `timeLedger` also tells how long its calls took.
   * Default: these are left out.
   */
  readonly ledger?: Pick<Ledger, "stats"> | TimedLedger | undefined;
  /** The gateway's own, by which the wait of a lane's first task is told from its rank. Default: one hour. */
  readonly boostMs?: number | undefined;
  /** Where the data is kept; each scrape tells how full its file system is. Default: it is not told. */
  readonly dataDir?: string | undefined;
  /** Parts whose health is told beside that of the gateway's own. Default: there are none. */
  readonly components?: (() => Promise<Components>) | undefined;
  /** What the process is among several, such as `scheduler`. Default: it is not told. */
  readonly role?: string | undefined;
}

/** What a gateway tells a monitoring system. One for each gateway, made before it starts. */
export interface Metrics {
  /** Counts one answered request. `path` is the pattern of its route; `undefined` where there was none. */
  observe(path: string | undefined, method: string, status: number, durationMs: number): void;
  /** Counts one model that was deployed on request. */
  deployed(model: string, modelUri: string | undefined): void;
  /** Counts one call of a part that failed and that the gateway itself does not tell of. */
  failed(adapter: string, operation: string, code: string): void;
  /**
   * What a scrape gets: text in the format of Prometheus. With `parts`, only theirs: for a process that serves those of
   * the scheduler and the reaper on ports of their own, so that nothing is on two.
   */
  render(parts?: readonly MetricsPart[]): Promise<MetricsText>;
  /** Stops listening to the gateway. Idempotent. */
  close(): void;
}

/** Models that get series of their own. */
const MOST_MODELS = 200;

const DEFAULT_BOOST_MS = 3_600_000;

const untimed: readonly Family[] = [{ spec: METRICS.ledgerSeconds, samples: [] }];

/**
 * Counts what a gateway does, from now on. Labels are bounded: models are the first 200 that are seen, the rest is
 * `other`; no id, address or text of a caller is in one. The Prometheus client is loaded by the first scrape.
 */
export function createMetrics(gateway: Gateway, options: MetricsOptions = {}): Metrics {
  const { ledger, role, components, dataDir, boostMs = DEFAULT_BOOST_MS } = options;
  const models = new FirstNames(MOST_MODELS);
  const heads = new LaneHeads(boostMs);
  const tasks = new TaskMetrics(gateway, models);
  const deployments = new DeploymentMetrics(gateway, models);
  const direct = new DirectMetrics(gateway, models);
  const requests = new RequestMetrics();
  const rendering = new Map<string, Promise<MetricsText>>();

  async function render(parts: readonly MetricsPart[]): Promise<MetricsText> {
    const isOfGateway = parts.includes("gateway");
    const [{ renderMetrics }, gauges] = await Promise.all([
      import("./render-metrics.ts"),
      isOfGateway ? readGauges({ gateway, ledger, models, heads, dataDir, role, components }) : [],
    ]);
    const families = [
      ...[...requests.families(), ...tasks.families(), ...deployments.families(), ...direct.families()],
      ...(ledger !== undefined && "families" in ledger ? ledger.families() : untimed),
      ...[busySeconds(), ...gauges],
    ];
    const wanted = families.filter(({ spec }) => parts.includes(partOf(spec.name)));
    return renderMetrics(wanted, isOfGateway);
  }

  return {
    observe: (path, method, status, durationMs) => requests.observe(path, method, status, durationMs),
    failed: (adapter, operation, code) => tasks.failed(adapter, operation, code),
    deployed: (model, modelUri) => deployments.deployed(model, modelUri),
    render(parts = METRICS_PARTS) {
      // Scrapes at the same time share one: what they would read is the same.
      const key = parts.join();
      const shared = rendering.get(key) ?? render(parts).finally(() => rendering.delete(key));
      rendering.set(key, shared);
      return shared;
    },
    close() {
      tasks.close();
      deployments.close();
      direct.close();
    },
  };
}
