import { ERROR_CODES, type Gateway, type GatewayEvents } from "@modelgate/core";
import { METRICS, START_BUCKETS } from "./metric-table.ts";
import { Counts, type Family, Histogram } from "./series.ts";

type Change = Parameters<GatewayEvents["deployment:changed"]>[0];

/** What was seen of one deployment. */
interface Seen {
  /** Absent where the begin was not seen, and once its server was ready. */
  readonly beganMs?: number | undefined;
  readonly hasFailed: boolean;
}

/** Deployments that are kept in mind; of more, the oldest are forgotten. */
const MOST_SEEN = 10_000;

/** Counts what a gateway tells of deployments. */
export class DeploymentMetrics {
  readonly #gateway: Pick<Gateway, "events">;
  readonly #nowMs: () => number;
  readonly #failures = new Counts(METRICS.deploymentFailures);
  readonly #starts = new Histogram(METRICS.deploymentSeconds, START_BUCKETS);
  readonly #seen = new Map<string, Seen>();
  readonly #listener = (change: Change): void => this.#take(change);

  constructor(gateway: Pick<Gateway, "events">, nowMs: () => number = () => performance.now()) {
    this.#gateway = gateway;
    this.#nowMs = nowMs;
    gateway.events.on("deployment:changed", this.#listener);
  }

  close(): void {
    this.#gateway.events.off("deployment:changed", this.#listener);
  }

  families(): readonly Family[] {
    return [this.#failures.family(), this.#starts.family()];
  }

  #take({ generation, kind, state, code }: Change): void {
    const { beganMs, hasFailed = false } = this.#seen.get(generation) ?? {};
    switch (state) {
      case "deploying":
        this.#keep(generation, { beganMs: beganMs ?? this.#nowMs(), hasFailed });
        break;
      case "ready":
        if (beganMs !== undefined) this.#starts.at(kind).add(this.#nowMs() - beganMs);
        this.#keep(generation, { hasFailed });
        break;
      case "failed":
        // It is told again when the tasks that waited were told.
        if (!hasFailed) this.#failures.at(kind, codeLabel(code)).value += 1;
        this.#keep(generation, { hasFailed: true });
        break;
      case "gone":
        this.#seen.delete(generation);
        break;
      default:
        // Waiting for room is no part of a start; between two tries it is.
        break;
    }
  }

  #keep(generation: string, seen: Seen): void {
    this.#seen.set(generation, seen);
    if (this.#seen.size <= MOST_SEEN) return;
    const [oldest] = this.#seen.keys();
    if (oldest !== undefined) this.#seen.delete(oldest);
  }
}

function codeLabel(code: string | undefined): string {
  if (code === undefined) return "none";
  return Object.hasOwn(ERROR_CODES, code) ? code : "other";
}
