import type { Gateway, GatewayEvents } from "@modelgate/core";
import { codeLabel } from "./code-label.ts";
import { METRICS } from "./metric-table.ts";
import { Counts, type Family, type FirstNames } from "./series.ts";
import { TaskLine, TaskSeries } from "./task-line.ts";
import { TaskTimes } from "./task-times.ts";

type Listeners = { readonly [Event in keyof GatewayEvents]?: GatewayEvents[Event] };

/** Counts what a gateway tells of its tasks and parts. */
export class TaskMetrics {
  readonly #gateway: Pick<Gateway, "events" | "operations">;
  readonly #models: FirstNames;
  readonly #times = new TaskTimes(() => performance.now());
  readonly #series = new TaskSeries();
  /** By model, then by operation, both as they are labelled. */
  readonly #lines = new Map<string, Map<string, TaskLine>>();
  readonly #ejections = new Counts(METRICS.ejections);
  readonly #adapterFailures = new Counts(METRICS.adapterFailures);
  readonly #listeners: Listeners = this.#makeListeners();

  constructor(gateway: Pick<Gateway, "events" | "operations">, models: FirstNames) {
    this.#gateway = gateway;
    this.#models = models;
    this.#eachListener((event, listener) => gateway.events.on(event, listener));
  }

  close(): void {
    this.#eachListener((event, listener) => this.#gateway.events.off(event, listener));
  }

  failed(adapter: string, operation: string, code: string): void {
    this.#adapterFailures.at(adapter, operation, codeLabel(code)).value += 1;
  }

  families(): readonly Family[] {
    return [...this.#series.families(), this.#ejections.family(), this.#adapterFailures.family()];
  }

  #makeListeners(): Listeners {
    return {
      "task:submitted": ({ id, model, operation }) => {
        this.#line(model, operation).submitted.value += 1;
        this.#times.submitted(id);
      },
      "task:started": ({ id, model, operation }) => {
        const line = this.#line(model, operation);
        line.started.value += 1;
        const passed = this.#times.started(id);
        if (passed.waitedMs !== undefined) line.waits.add(passed.waitedMs);
        line.left(passed);
      },
      "task:running": ({ id, model, operation }) => {
        this.#line(model, operation).left(this.#times.running(id));
      },
      "task:returned": ({ id, model, operation, counts, code }) => {
        const line = this.#line(model, operation);
        const passed = this.#times.returned(id);
        line.returned(counts, codeLabel(code), passed.attemptMs);
        line.left(passed);
      },
      "task:ended": ({ id, model, operation, state, code }) => {
        const line = this.#line(model, operation);
        const passed = this.#times.ended(id);
        line.ended(state, codeLabel(code), passed?.attemptMs, passed?.taskMs);
        if (passed !== undefined) line.left(passed);
      },
      "server:ejected": () => {
        this.#ejections.at().value += 1;
      },
      "adapter:failed": ({ adapter, operation, code }) => {
        this.failed(adapter, operation, code);
      },
    };
  }

  #eachListener(call: (event: keyof GatewayEvents, listener: () => void) => void): void {
    for (const [event, listener] of Object.entries(this.#listeners)) {
      call(event as keyof GatewayEvents, listener as () => void);
    }
  }

  #line(model: string, operation: string): TaskLine {
    const modelLabel = this.#models.of(model);
    const operationLabel = this.#gateway.operations().has(operation) ? operation : "other";
    let lines = this.#lines.get(modelLabel);
    if (lines === undefined) {
      lines = new Map();
      this.#lines.set(modelLabel, lines);
    }
    let line = lines.get(operationLabel);
    if (line === undefined) {
      line = new TaskLine(this.#series, modelLabel, operationLabel);
      lines.set(operationLabel, line);
    }
    return line;
  }
}
