import type { HistoryEvent } from "../../../core/src/testing/checker/index.ts";

type Untimed<E> = E extends unknown ? Omit<E, "atMs"> : never;

/** What goes wrong all the time is told often enough by these. */
const MAX_COMPLAINTS = 50;

/** Everything that was seen from outside while a run went on, in the order in which it was seen. */
export class Recorder {
  readonly events: HistoryEvent[] = [];
  /** What is wrong in ways that no history tells: a process that ended by itself, an answer that makes no sense. */
  readonly complaints: string[] = [];
  readonly counts = new Map<string, number>();
  readonly #log: (line: string) => void;
  readonly #beganAtMs = Date.now();

  constructor(log: (line: string) => void) {
    this.#log = log;
  }

  add(event: Untimed<HistoryEvent>): void {
    this.events.push({ atMs: Date.now(), ...event } as HistoryEvent);
  }

  complain(complaint: string): void {
    this.count("complaints");
    if (this.complaints.length >= MAX_COMPLAINTS) return;
    this.complaints.push(complaint);
    this.say(`COMPLAINT ${complaint}`);
  }

  count(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by);
  }

  countOf(what: string): number {
    return this.counts.get(what) ?? 0;
  }

  /** For people, with the seconds since the run began. */
  say(line: string): void {
    this.#log(`${((Date.now() - this.#beganAtMs) / 1_000).toFixed(1).padStart(7)} s  ${line}`);
  }
}
