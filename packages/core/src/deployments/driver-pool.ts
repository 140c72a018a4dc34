import type { PrepareProgress } from "../contracts/deployer.ts";
import type { Entries } from "./book.ts";
import { Driver, type DriverHost } from "./driver.ts";
import type { Entry } from "./entry.ts";

export interface DriverPoolOptions {
  /** This gateway. */
  readonly me: string;
  readonly hostFor: (signal: AbortSignal) => Promise<Omit<DriverHost, "onProgress">>;
  /** A driver has come to its end. */
  readonly onEnd: () => void;
  /** What there is was looked at. */
  readonly onDrive: (entries: Entries) => void;
  readonly onError: (operation: string, error: unknown) => void;
}

interface Running {
  readonly phase: Entry["phase"];
  readonly abort: AbortController;
  done: Promise<void>;
}

/** The drivers at work in this gateway, one for each deployment that is its to drive. */
export class DriverPool {
  readonly #options: DriverPoolOptions;
  /** By generation. */
  readonly #running = new Map<string, Running>();
  readonly #progress = new Map<string, PrepareProgress>();

  constructor(options: DriverPoolOptions) {
    this.#options = options;
  }

  progressOf(generation: string): PrepareProgress | undefined {
    return this.#progress.get(generation);
  }

  /** Begins on what is this gateway's and has no driver yet. */
  drive(entries: Entries): void {
    this.#options.onDrive(entries);
    for (const entry of entries.values()) {
      if (entry.driver === this.#options.me && !this.#running.has(entry.generation)) this.#begin(entry);
    }
  }

  /** What was taken over by another, or is in another phase, is left alone from now on. */
  release(entries: Entries): void {
    const byGeneration = new Map([...entries.values()].map((entry) => [entry.generation, entry]));
    for (const [generation, { phase, abort }] of this.#running) {
      const entry = byGeneration.get(generation);
      if (entry?.driver !== this.#options.me || entry.phase !== phase) abort.abort();
    }
  }

  async stop(): Promise<void> {
    const running = [...this.#running.values()];
    for (const { abort } of running) abort.abort();
    await Promise.all(running.map(({ done }) => done));
  }

  #begin(entry: Entry): void {
    const { generation, phase } = entry;
    const running: Running = { phase, abort: new AbortController(), done: Promise.resolve() };
    this.#running.set(generation, running);
    running.done = this.#run(entry, running.abort.signal)
      .catch((error: unknown) => this.#options.onError("deployments.drive", error))
      .then(() => {
        this.#running.delete(generation);
        this.#progress.delete(generation);
        this.#options.onEnd();
      });
  }

  async #run(entry: Entry, signal: AbortSignal): Promise<void> {
    const host = await this.#options.hostFor(signal);
    const onProgress = (_: Entry, progress: PrepareProgress): void => {
      this.#progress.set(entry.generation, progress);
    };
    await new Driver(entry, { ...host, onProgress }, signal).run();
  }
}
