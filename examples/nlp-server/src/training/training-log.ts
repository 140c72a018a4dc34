import { setImmediate as nextRound } from "node:timers/promises";

/** What a training writes down of itself while it goes on. */
export interface TrainingLog {
  tag(name: string, value: string): void;
  /** What the model is made with; the parameters of the request are written down without it. */
  param(name: string, value: string): void;
  /** Adds the next value of a metric. Without `step` values are numbered from 0. */
  metric(name: string, value: number, step?: number): void;
  /** Tells how much is done, from 0 to 1, and waits where a run was given a least time. */
  pace(done: number): Promise<void>;
}

/** A model that a training made: what is to be saved of it, and how the server begins to use it. */
export interface TrainedModel {
  /** By name; large ones are only made when they are saved. */
  file(): string;
  serve(): void;
}

/** The longest that a training works before it lets requests be served. */
const turnMs = 8;

/** Returns a function that gives way to others when the training has worked for its turn. */
export function turns(signal: AbortSignal): () => Promise<void> {
  let ends = performance.now() + turnMs;
  return async () => {
    if (performance.now() < ends) return;
    await nextRound();
    signal.throwIfAborted();
    ends = performance.now() + turnMs;
  };
}
