import type { LogLine, ServerSpec } from "../contracts/deployer.ts";

const MASK = "***";
/** A line of a secret that is shorter says nothing, and would be masked in every text. */
const LEAST_PART = 4;

/** What one server wrote, over all its starts. */
export class EngineLog {
  readonly lines: LogLine[] = [];
  readonly #listeners = new Set<() => void>();

  write(line: LogLine): void {
    this.lines.push({ ...line });
    this.wake();
  }

  /** Those who follow look again. */
  wake(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

/** Hides the values of a spec's secret variables in a text, and each line of those that have several. */
export function maskOf({ env = {}, secretEnv = [] }: ServerSpec): (text: string) => string {
  const values = secretEnv.flatMap((name) => (Object.hasOwn(env, name) ? [env[name] as string] : []));
  const parts = values.flatMap((value) => {
    const lines = value.split(/\r?\n/);
    return lines.length === 1 ? lines : lines.filter(({ length }) => length >= LEAST_PART);
  });
  const hidden = parts.filter((part) => part !== "").sort((one, other) => other.length - one.length);
  return (text) => hidden.reduce((rest, part) => rest.replaceAll(part, MASK), text);
}

export interface ReadOptions {
  readonly tail: number;
  readonly follow: boolean;
  readonly signals: readonly AbortSignal[];
}

/** A log that was found, and whether more may come. */
export interface OpenLog {
  readonly log: EngineLog;
  readonly mask: (text: string) => string;
  /** Throws when the engine is away. */
  readonly isEnded: () => boolean;
}

/**
 * Not a generator, whose `return()` would wait for the line that is awaited: who stops following a server that says
 * nothing would wait for ever.
 */
export function readLog(open: () => Promise<OpenLog>, options: ReadOptions): AsyncIterableIterator<LogLine> {
  const { tail, follow, signals } = options;
  let opened: OpenLog | undefined;
  let at = 0;
  let isOver = false;
  let wake = (): void => {};
  const onChange = (): void => wake();
  let stopListening = (): void => {};
  const end = (): void => {
    isOver = true;
    stopListening();
    for (const signal of signals) signal.removeEventListener("abort", onChange);
    wake();
  };

  async function begin(): Promise<OpenLog> {
    for (const signal of signals) signal.throwIfAborted();
    const found = await open();
    for (const signal of signals) signal.throwIfAborted();
    at = Math.max(0, found.log.lines.length - tail);
    stopListening = found.log.listen(onChange);
    for (const signal of signals) signal.addEventListener("abort", onChange);
    return found;
  }

  async function next(): Promise<IteratorResult<LogLine>> {
    while (!isOver) {
      opened ??= await begin();
      for (const signal of signals) signal.throwIfAborted();
      const { log, mask, isEnded } = opened;
      const line = log.lines[at];
      if (line !== undefined) {
        at += 1;
        return { done: false, value: { ...line, text: mask(line.text) } };
      }
      if (!follow || isEnded()) end();
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
    return { done: true, value: undefined };
  }

  return {
    async next() {
      try {
        return await next();
      } catch (error) {
        end();
        throw error;
      }
    },
    async return() {
      end();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
