import type { GenerationResult } from "./generation/generation.ts";

const durationBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const millisecondBounds = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 5_000, 30_000];
const countBounds = [0, 1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000];

/** What Prometheus reads from `/metrics`, under the names that CMS uses. */
export class Metrics {
  /** One value for the whole life of a server: whoever watches it takes another for another process. */
  readonly #startedAt = Date.now() / 1_000;
  readonly #requests = new Map<string, number>();
  readonly #durations = new Histogram(
    "http_request_duration_seconds",
    "Time from a request's headers to the end of its answer.",
    durationBounds,
  );
  readonly #annotations = new Histogram(
    "cms_doc_annotations",
    "The number of annotations extracted from a document",
    countBounds,
  );
  readonly #documents = new Histogram(
    "cms_bulk_processed_docs",
    "Number of bulk-processed documents",
    countBounds,
  );

  readonly #promptTokens = new Histogram(
    "cms_prompt_tokens",
    "Number of tokens in the messages of the input prompt",
    countBounds,
  );
  readonly #completionTokens = new Histogram(
    "cms_completion_tokens",
    "Number of tokens in the generated assistant reply",
    countBounds,
  );
  readonly #totalTokens = new Histogram(
    "cms_total_tokens",
    "Number of tokens used in the prompt and the completion",
    countBounds,
  );
  readonly #firstTokens = new Histogram(
    "cms_ttft_milliseconds",
    "Time to first generated token in milliseconds",
    millisecondBounds,
  );
  readonly #laterTokens = new Histogram(
    "cms_tpot_milliseconds",
    "Average time per output token in milliseconds",
    millisecondBounds,
  );

  requested(handler: string, method: string, status: number, seconds: number): void {
    const statusClass = `${Math.floor(status / 100)}xx`;
    const labels = labelsOf({ handler, method, status: statusClass });
    this.#requests.set(labels, (this.#requests.get(labels) ?? 0) + 1);
    this.#durations.observe(labelsOf({ handler, method }), seconds);
  }

  annotated(handler: string, annotations: number): void {
    this.#annotations.observe(labelsOf({ handler }), annotations);
  }

  processedDocuments(handler: string, documents: number): void {
    this.#documents.observe(labelsOf({ handler }), documents);
  }

  generated(handler: string, result: GenerationResult): void {
    const labels = labelsOf({ handler });
    this.#promptTokens.observe(labels, result.promptTokens);
    this.#completionTokens.observe(labels, result.completionTokens);
    this.#totalTokens.observe(labels, result.promptTokens + result.completionTokens);
    this.#firstTokens.observe(labels, result.ttftMs);
    this.#laterTokens.observe(labels, result.tpotMs);
  }

  render(): string {
    const requests = [...this.#requests].map(([labels, value]) => ({ name: "", labels, value }));
    const { user, system } = process.cpuUsage();
    return [
      family("http_requests_total", "counter", "Requests by route, method and class of status.", requests),
      this.#durations.render(),
      this.#annotations.render(),
      this.#documents.render(),
      this.#promptTokens.render(),
      this.#completionTokens.render(),
      this.#totalTokens.render(),
      this.#firstTokens.render(),
      this.#laterTokens.render(),
      family("process_cpu_seconds_total", "counter", "CPU time of the process.", [
        { name: "", labels: "", value: (user + system) / 1_000_000 },
      ]),
      family("process_resident_memory_bytes", "gauge", "Resident memory of the process.", [
        { name: "", labels: "", value: process.memoryUsage.rss() },
      ]),
      family("process_start_time_seconds", "gauge", "When the process began, in Unix time.", [
        { name: "", labels: "", value: this.#startedAt },
      ]),
    ].join("");
  }
}

interface Sample {
  /** What follows the family's name, such as `_count`. */
  name: string;
  labels: string;
  value: number;
}

class Histogram {
  readonly #name: string;
  readonly #help: string;
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, { counts: number[]; sum: number; count: number }>();

  constructor(name: string, help: string, bounds: readonly number[]) {
    this.#name = name;
    this.#help = help;
    this.#bounds = bounds;
  }

  observe(labels: string, value: number): void {
    let series = this.#series.get(labels);
    if (!series) {
      series = { counts: this.#bounds.map(() => 0), sum: 0, count: 0 };
      this.#series.set(labels, series);
    }
    for (const [index, bound] of this.#bounds.entries()) {
      if (value <= bound) series.counts[index] = (series.counts[index] ?? 0) + 1;
    }
    series.sum += value;
    series.count += 1;
  }

  render(): string {
    const samples: Sample[] = [];
    for (const [labels, { counts, sum, count }] of this.#series) {
      for (const [index, bound] of this.#bounds.entries()) {
        samples.push({ name: "_bucket", labels: `${labels},le="${bound}"`, value: counts[index] ?? 0 });
      }
      samples.push({ name: "_bucket", labels: `${labels},le="+Inf"`, value: count });
      samples.push({ name: "_count", labels, value: count }, { name: "_sum", labels, value: sum });
    }
    return family(this.#name, "histogram", this.#help, samples);
  }
}

function family(name: string, type: string, help: string, samples: readonly Sample[]): string {
  const lines = samples.map((sample) => {
    const labels = sample.labels === "" ? "" : `{${sample.labels}}`;
    return `${name}${sample.name}${labels} ${sample.value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

/** Labels have values from lists of ours only: routes, methods that HTTP knows, and classes of statuses. */
function labelsOf(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value}"`)
    .join(",");
}
