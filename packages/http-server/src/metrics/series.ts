import type { MetricSpec } from "./metric-table.ts";

/** One line of what a scrape gets. */
interface Sample {
  /** Where it is not that of the metric itself. */
  readonly metricName?: string | undefined;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** A metric with its samples. */
export interface Family {
  readonly spec: MetricSpec;
  readonly samples: readonly Sample[];
}

/** A metric has so many series at most; whatever comes then is counted as `other`. */
const MOST_SERIES = 1000;
const OTHER = "other";

/** The values of one metric by its labels, for whatever number of label values. */
class Series<T> {
  readonly #spec: MetricSpec;
  readonly #make: () => T;
  readonly #values = new Map<string, { readonly labels: readonly string[]; readonly value: T }>();

  constructor(spec: MetricSpec, make: () => T) {
    this.#spec = spec;
    this.#make = make;
  }

  at(labels: readonly string[]): T {
    const known = this.#values.get(labels.join("\0"));
    if (known !== undefined) return known.value;
    const isFull = this.#values.size >= MOST_SERIES;
    const kept = isFull ? labels.map(() => OTHER) : [...labels];
    const key = kept.join("\0");
    const entry = this.#values.get(key) ?? { labels: kept, value: this.#make() };
    this.#values.set(key, entry);
    return entry.value;
  }

  family(samplesOf: (labels: Record<string, string>, value: T) => readonly Sample[]): Family {
    const { labels: names } = this.#spec;
    const samples = [...this.#values.values()].flatMap(({ labels, value }) =>
      samplesOf(Object.fromEntries(names.map((name, at) => [name, labels[at] ?? ""])), value),
    );
    return { spec: this.#spec, samples };
  }
}

/** One series of a counter, to be counted up by whoever keeps it. */
export interface Count {
  value: number;
}

/** A counter. `at` takes a look into a map, which who counts often spares by keeping what it gave. */
export class Counts {
  readonly #series: Series<Count>;

  constructor(spec: MetricSpec) {
    this.#series = new Series(spec, () => ({ value: 0 }));
    if (spec.labels.length === 0) this.#series.at([]);
  }

  at(...labels: readonly string[]): Count {
    return this.#series.at(labels);
  }

  family(): Family {
    return this.#series.family((labels, { value }) => [{ labels, value }]);
  }
}

/** One series of a histogram of seconds. */
export class Durations {
  readonly #bounds: readonly number[];
  /** The last one counts what is above every bound. */
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.counts = new Array(bounds.length + 1).fill(0);
  }

  add(durationMs: number): void {
    const seconds = durationMs / 1000;
    const bounds = this.#bounds;
    let at = 0;
    while (at < bounds.length && seconds > (bounds[at] as number)) at += 1;
    this.counts[at] = (this.counts[at] as number) + 1;
    this.sum += seconds;
  }
}

/** A histogram of seconds. */
export class Histogram {
  readonly #name: string;
  readonly #bounds: readonly number[];
  readonly #series: Series<Durations>;

  constructor(spec: MetricSpec, bounds: readonly number[]) {
    this.#name = spec.name;
    this.#bounds = bounds;
    this.#series = new Series(spec, () => new Durations(bounds));
  }

  at(...labels: readonly string[]): Durations {
    return this.#series.at(labels);
  }

  family(): Family {
    const name = this.#name;
    return this.#series.family((labels, { counts, sum }) => {
      let below = 0;
      const buckets = counts.map((count, at) => {
        below += count;
        return {
          metricName: `${name}_bucket`,
          labels: { ...labels, le: this.#bounds[at] ?? "+Inf" },
          value: below,
        };
      });
      const total = [
        { metricName: `${name}_sum`, labels, value: sum },
        { metricName: `${name}_count`, labels, value: below },
      ];
      return [...buckets, ...total];
    });
  }
}

/** The first names that are seen; later ones are `other`, so that no metric grows with what callers send. */
export class FirstNames {
  readonly #most: number;
  readonly #names = new Set<string>();

  constructor(most: number) {
    this.#most = most;
  }

  of(name: string): string {
    if (this.#names.has(name)) return name;
    if (this.#names.size >= this.#most) return OTHER;
    this.#names.add(name);
    return name;
  }
}
