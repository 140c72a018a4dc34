import type { Gateway, GatewayEvents } from "@modelgate/core";
import { METRICS, WORK_BUCKETS } from "./metric-table.ts";
import { type Family, type FirstNames, Histogram } from "./series.ts";

type Ended = Parameters<GatewayEvents["direct:ended"]>[0];

/** Counts requests that went straight to a server. */
export class DirectMetrics {
  readonly #gateway: Pick<Gateway, "events">;
  readonly #models: FirstNames;
  readonly #durations = new Histogram(METRICS.directSeconds, WORK_BUCKETS);
  readonly #onEnded = ({ model, durationMs, outcome }: Ended): void => {
    this.#durations.at(this.#models.of(model), outcome).add(durationMs);
  };

  constructor(gateway: Pick<Gateway, "events">, models: FirstNames) {
    this.#gateway = gateway;
    this.#models = models;
    gateway.events.on("direct:ended", this.#onEnded);
  }

  close(): void {
    this.#gateway.events.off("direct:ended", this.#onEnded);
  }

  families(): readonly Family[] {
    return [this.#durations.family()];
  }
}
