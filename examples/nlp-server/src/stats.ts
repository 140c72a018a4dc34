import { createHash } from "node:crypto";
import type { FaultKind } from "./faults.ts";
import type { TrainingEvent } from "./runs/runs.ts";

export interface RouteCount {
  received: number;
  /** Finished answers by status. */
  statuses: Record<string, number>;
}

export interface TextCount {
  /** How often the text came, in whatever route and however the request ended. */
  received: number;
  /** How often an answer with 200 was written to the end while the client was still there. */
  answered: number;
}

export interface StatsSnapshot {
  routes: Record<string, RouteCount>;
  /** By the SHA-256 (hex) of the UTF-8 text. Empty unless the server was started with faults. */
  texts: Record<string, TextCount>;
  in_flight: number;
  /** The most work requests at once. */
  peak: number;
  /** Requests whose client hung up before the answer was complete. */
  aborted: number;
  /** WebSockets that are open. */
  web_sockets: number;
  /** Requests refused because the server was at its capacity. */
  refused: number;
  faults: Partial<Record<FaultKind, number>>;
  /** Trainings and evaluations by their tracking id, as the server itself counts them. */
  trainings: Record<string, TrainingCount>;
}

export interface TrainingCount {
  begun: number;
  ended: number;
  /** How they ended, whatever any tracker says of it. */
  statuses: Record<string, number>;
}

/** Counts what the server was asked, seen from the server. */
export class Stats {
  readonly #countsTexts: boolean;
  #routes = new Map<string, RouteCount>();
  #texts = new Map<string, TextCount>();
  #faults = new Map<FaultKind, number>();
  #trainings = new Map<string, TrainingCount>();
  #peak = 0;
  #aborted = 0;
  #refused = 0;
  #webSockets = 0;
  inFlight = 0;

  constructor(countsTexts: boolean) {
    this.#countsTexts = countsTexts;
  }

  received(route: string): void {
    this.#route(route).received += 1;
  }

  finished(route: string, status: number): void {
    const { statuses } = this.#route(route);
    statuses[status] = (statuses[status] ?? 0) + 1;
  }

  began(): void {
    this.inFlight += 1;
    this.#peak = Math.max(this.#peak, this.inFlight);
  }

  ended(): void {
    this.inFlight -= 1;
  }

  webSocketOpened(): void {
    this.#webSockets += 1;
  }

  webSocketClosed(): void {
    this.#webSockets -= 1;
  }

  aborted(): void {
    this.#aborted += 1;
  }

  refused(): void {
    this.#refused += 1;
  }

  faulted(kind: FaultKind): void {
    this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + 1);
  }

  trained(event: TrainingEvent): void {
    const count = this.#trainings.get(event.trackingId) ?? { begun: 0, ended: 0, statuses: {} };
    this.#trainings.set(event.trackingId, count);
    if (event.event === "begun") {
      count.begun += 1;
      return;
    }
    count.ended += 1;
    count.statuses[event.status] = (count.statuses[event.status] ?? 0) + 1;
  }

  textsReceived(texts: readonly string[]): void {
    for (const count of this.#textCounts(texts)) count.received += 1;
  }

  textsAnswered(texts: readonly string[]): void {
    for (const count of this.#textCounts(texts)) count.answered += 1;
  }

  /** `leastReceived` leaves out texts that came less often; 2 asks for duplicates. */
  snapshot(leastReceived = 1): StatsSnapshot {
    const texts = [...this.#texts].filter(([, count]) => count.received >= leastReceived);
    return {
      routes: Object.fromEntries(
        [...this.#routes].map(([route, { received, statuses }]) => [
          route,
          { received, statuses: { ...statuses } },
        ]),
      ),
      texts: Object.fromEntries(texts.map(([hash, count]) => [hash, { ...count }])),
      in_flight: this.inFlight,
      peak: this.#peak,
      aborted: this.#aborted,
      web_sockets: this.#webSockets,
      refused: this.#refused,
      faults: Object.fromEntries(this.#faults),
      trainings: Object.fromEntries(
        [...this.#trainings].map(([id, count]) => [id, { ...count, statuses: { ...count.statuses } }]),
      ),
    };
  }

  /** Forgets everything but what is in flight or open. */
  reset(): void {
    this.#routes = new Map();
    this.#texts = new Map();
    this.#faults = new Map();
    this.#trainings = new Map();
    this.#peak = this.inFlight;
    this.#aborted = 0;
    this.#refused = 0;
  }

  #route(route: string): RouteCount {
    let count = this.#routes.get(route);
    if (!count) {
      count = { received: 0, statuses: {} };
      this.#routes.set(route, count);
    }
    return count;
  }

  *#textCounts(texts: readonly string[]): Generator<TextCount> {
    if (!this.#countsTexts) return;
    for (const text of texts) {
      const hash = createHash("sha256").update(text).digest("hex");
      let count = this.#texts.get(hash);
      if (!count) {
        count = { received: 0, answered: 0 };
        this.#texts.set(hash, count);
      }
      yield count;
    }
  }
}
