import type { Gateway, GatewayEvents } from "@modelgate/core";
import { codeLabel } from "./code-label.ts";
import { IDLE_BUCKETS, METRICS, START_BUCKETS } from "./metric-table.ts";
import { Counts, type Family, FirstNames, Histogram } from "./series.ts";

type Change = Parameters<GatewayEvents["deployment:changed"]>[0];
type Checked = Parameters<GatewayEvents["deployments:checked"]>[0];

/** What CogStack's gateway calls the reasons for which it removes a server by itself; it has none for making room. */
const PURGES: Readonly<Record<string, string>> = {
  expired: "fixed_ttl_expired",
  idle: "idle_ttl_expired",
  yield: "room_needed",
};

/** Addresses of models that get series of their own, of so many characters at most. */
const MOST_URIS = 200;
const LONGEST_URI = 200;

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
  readonly #deployed = new Counts(METRICS.modelsDeployed);
  readonly #purged = new Counts(METRICS.purged);
  readonly #checked = new Counts(METRICS.checked);
  readonly #idle = new Histogram(METRICS.modelIdle, IDLE_BUCKETS);
  readonly #models: FirstNames;
  readonly #uris = new FirstNames(MOST_URIS);
  readonly #seen = new Map<string, Seen>();
  readonly #listener = (change: Change): void => this.#take(change);
  readonly #onChecked = ({ manual, auto }: Checked): void => {
    if (manual > 0) this.#checked.at("manual").value += manual;
    if (auto > 0) this.#checked.at("auto").value += auto;
  };

  constructor(
    gateway: Pick<Gateway, "events">,
    models: FirstNames = new FirstNames(MOST_URIS),
    nowMs: () => number = () => performance.now(),
  ) {
    this.#gateway = gateway;
    this.#models = models;
    this.#nowMs = nowMs;
    // A sum over no series at all would be no figure, where it should be 0.
    this.#purged.at("manual", "fixed_ttl_expired");
    this.#purged.at("auto", "idle_ttl_expired");
    gateway.events.on("deployment:changed", this.#listener);
    gateway.events.on("deployments:checked", this.#onChecked);
  }

  close(): void {
    this.#gateway.events.off("deployment:changed", this.#listener);
    this.#gateway.events.off("deployments:checked", this.#onChecked);
  }

  families(): readonly Family[] {
    const counts = [this.#deployed, this.#purged, this.#checked, this.#idle];
    return [this.#failures, this.#starts, ...counts].map((metric) => metric.family());
  }

  /** A model was deployed on request. */
  deployed(model: string, modelUri: string | undefined): void {
    const uri = publicUri(modelUri);
    this.#deployed.at(this.#models.of(model), uri === undefined ? "other" : this.#uris.of(uri)).value += 1;
  }

  #take({ model, generation, kind, state, code, removed }: Change): void {
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
        if (removed !== undefined) this.#removed(model, kind, removed);
        break;
      default:
        // Waiting for room is no part of a start; between two tries it is.
        break;
    }
  }

  #removed(model: string, kind: string, { why, idleMs }: NonNullable<Change["removed"]>): void {
    const reason = PURGES[why];
    // Somebody asked for it, or it was gone by itself.
    if (reason === undefined) return;
    this.#purged.at(kind, reason).value += 1;
    if (why === "idle") this.#idle.at(this.#models.of(model)).add(idleMs);
  }

  #keep(generation: string, seen: Seen): void {
    this.#seen.set(generation, seen);
    if (this.#seen.size <= MOST_SEEN) return;
    const [oldest] = this.#seen.keys();
    if (oldest !== undefined) this.#seen.delete(oldest);
  }
}

/** As it may be seen; `undefined` when it is too long for a label. */
function publicUri(uri = ""): string | undefined {
  const shown = uri.replace(/[?#].*$/s, "").replace(/\/\/[^/@]*@/, "//");
  return shown.length <= LONGEST_URI ? shown : undefined;
}
