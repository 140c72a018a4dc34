import { setMaxListeners } from "node:events";
import type { OperationOptions } from "../contracts/common.ts";
import type { Deployer, LogLine, PrepareProgress } from "../contracts/deployer.ts";
import { GatewayError } from "../errors.ts";
import { MemoryEngine } from "./deployer-engine.ts";
import { readLog } from "./deployer-log.ts";
import { requireRunnable } from "./deployer-spec.ts";
import type { MemoryEngineOptions } from "./deployer-types.ts";

const DEFAULT_TAIL = 100;

/** A deployer in memory, and its engine, on which a test kills servers, stops the engine and reads what happened. */
export interface MemoryDeployer extends Deployer {
  readonly engine: MemoryEngine;
}

/** Either an engine that other deployers share, or how one's own has to be. */
export type MemoryDeployerOptions = MemoryEngineOptions | { readonly engine: MemoryEngine };

/**
 * Servers that exist in memory alone: the engine tells a memory discovery of them, and a memory protocol does their
 * work. To close it leaves the engine and its servers as they are.
 */
export function memoryDeployer(options: MemoryDeployerOptions = {}): MemoryDeployer {
  const engine = "engine" in options ? options.engine : new MemoryEngine(options);
  const closing = new AbortController();
  // Every call under way listens, and there may be many.
  setMaxListeners(0, closing.signal);
  const stops = new Set<() => void>();

  function signalsOf({ signal }: OperationOptions): readonly AbortSignal[] {
    return signal === undefined ? [closing.signal] : [closing.signal, signal];
  }

  /** What the engine was asked for goes on when the caller gives up, as with any engine. */
  async function ask<T>(call: OperationOptions, work: () => Promise<T>): Promise<T> {
    const signals = signalsOf(call);
    for (const signal of signals) signal.throwIfAborted();
    return await unlessAborted(work(), signals);
  }

  return {
    engine,
    capabilities: { limits: true, gpus: engine.gpus > 0, logs: true },
    prepare: (spec, identity, call = {}) =>
      ask(call, async () => {
        requireRunnable(spec, identity);
        const { listener, stop } = untilStopped(call.onProgress, signalsOf(call));
        await engine.prepare(spec, identity, listener).finally(stop);
      }),
    create: (spec, identity, call = {}) =>
      ask(call, async () => {
        requireRunnable(spec, identity);
        return await engine.create(spec, identity);
      }),
    start: (id, call) => ask(call, () => engine.start(id, call.installation)),
    remove: (id, call) => ask(call, () => engine.remove(id, call.installation, call.graceMs)),
    list: (installation, call = {}) => ask(call, () => engine.list(installation)),
    logs(id, call): AsyncIterableIterator<LogLine> {
      const { installation, tail = DEFAULT_TAIL, follow = false } = call;
      const open = () => ask(call, () => engine.openLog(id, installation));
      return readLog(open, { tail, follow, signals: signalsOf(call) });
    },
    watch(installation, listener) {
      closing.signal.throwIfAborted();
      const unwatch = engine.watch(installation, listener);
      const stop = (): void => {
        unwatch();
        stops.delete(stop);
      };
      stops.add(stop);
      return stop;
    },
    async close() {
      if (closing.signal.aborted) return;
      closing.abort(new GatewayError("CLOSED", "the memory deployer is closed"));
      for (const stop of stops) stop();
    },
  };
}

/** What `work` settles with, or the reason of the first signal that aborts. */
async function unlessAborted<T>(work: Promise<T>, signals: readonly AbortSignal[]): Promise<T> {
  let onAbort = (_event: Event): void => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = ({ target }) => reject((target as AbortSignal).reason);
  });
  for (const signal of signals) signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([work, aborted]);
  } finally {
    for (const signal of signals) signal.removeEventListener("abort", onAbort);
  }
}

/** Progress for a caller that is still there, and that may throw. */
function untilStopped(
  onProgress: ((progress: PrepareProgress) => void) | undefined,
  signals: readonly AbortSignal[],
): { readonly listener: (progress: PrepareProgress) => void; readonly stop: () => void } {
  let isStopped = false;
  return {
    listener(progress) {
      if (isStopped || signals.some(({ aborted }) => aborted)) return;
      try {
        onProgress?.(progress);
      } catch {
        // The pull may be others' too, who must not pay for it.
      }
    },
    stop() {
      isStopped = true;
    },
  };
}
