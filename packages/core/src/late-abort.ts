import type { OperationOptions } from "./contracts/common.ts";

/** An abort as the one sees it who may be stopped by it. */
export interface AbortSource {
  readonly aborted: boolean;
  readonly reason: unknown;
  /** Calls back once, when it is aborted later on. The function returned ends that. */
  onAbort(callback: () => void): () => void;
}

const SOURCE: unique symbol = Symbol("abort source");

/**
 * An `AbortController` whose signal is made only when it is asked for. To make one takes as long as a sixteenth of all
 * that a task costs this thread, and hardly any task is ever stopped.
 */
export class LateAbort implements AbortSource {
  aborted = false;
  reason: unknown;
  #controller: AbortController | undefined;
  #callbacks: Set<() => void> | undefined;

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.aborted) this.#controller.abort(this.reason);
    }
    return this.#controller.signal;
  }

  /** For a contract's method. The signal is a property of its own, so that a copy of the options has it too. */
  options(): OperationOptions {
    const source = this;
    const options: OperationOptions & { [SOURCE]: AbortSource } = {
      [SOURCE]: source,
      get signal() {
        return source.signal;
      },
    };
    return options;
  }

  /** The first reason stands. */
  abort(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    const callbacks = this.#callbacks;
    this.#callbacks = undefined;
    this.#controller?.abort(reason);
    if (callbacks !== undefined) for (const callback of callbacks) callback();
  }

  onAbort(callback: () => void): () => void {
    this.#callbacks ??= new Set();
    this.#callbacks.add(callback);
    return () => void this.#callbacks?.delete(callback);
  }
}

/** What may stop a call with these options, without making a signal for it. */
export function abortOf(options: OperationOptions): AbortSource | undefined {
  const late = (options as { readonly [SOURCE]?: AbortSource })[SOURCE];
  if (late !== undefined) return late;
  const { signal } = options;
  if (signal === undefined) return undefined;
  return {
    get aborted() {
      return signal.aborted;
    },
    get reason() {
      return signal.reason;
    },
    onAbort(callback) {
      signal.addEventListener("abort", callback, { once: true });
      return () => signal.removeEventListener("abort", callback);
    },
  };
}
