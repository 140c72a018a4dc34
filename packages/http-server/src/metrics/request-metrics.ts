import { METRICS, WORK_BUCKETS } from "./metric-table.ts";
import { type Count, Counts, type Durations, type Family, Histogram } from "./series.ts";

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** The series of one route and method, kept at hand. */
interface RequestLine {
  readonly method: string;
  readonly endpoint: string;
  readonly durations: Durations;
  /** By the first digit of the status. */
  readonly byClass: (Count | undefined)[];
}

/** Counts HTTP requests by the pattern of their route, never by their path. */
export class RequestMetrics {
  readonly #requests = new Counts(METRICS.requests);
  readonly #durations = new Histogram(METRICS.requestSeconds, WORK_BUCKETS);
  readonly #lines = new Map<string | undefined, Map<string, RequestLine>>();

  observe(path: string | undefined, method: string, status: number, durationMs: number): void {
    const line = this.#lines.get(path)?.get(method) ?? this.#makeLine(path, method);
    const statusClass = Math.floor(status / 100);
    let count = line.byClass[statusClass];
    if (count === undefined) {
      count = this.#requests.at(line.method, line.endpoint, `${statusClass}xx`);
      line.byClass[statusClass] = count;
    }
    count.value += 1;
    line.durations.add(durationMs);
  }

  families(): readonly Family[] {
    return [this.#requests.family(), this.#durations.family()];
  }

  #makeLine(path: string | undefined, given: string): RequestLine {
    const method = METHODS.has(given) ? given : "other";
    // `/tasks/:id` → `/tasks/{id}`, as the routes are written elsewhere.
    const endpoint = path?.replaceAll(/:(\w+)/g, "{$1}") ?? "other";
    const line = { method, endpoint, durations: this.#durations.at(method, endpoint), byClass: [] };
    const lines = this.#lines.get(path) ?? new Map<string, RequestLine>();
    // Methods that a client made up are not kept: there may be any number of them.
    if (method === given) this.#lines.set(path, lines.set(method, line));
    return line;
  }
}
