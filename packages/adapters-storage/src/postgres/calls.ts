import { GatewayError, type OperationOptions } from "@modelgate/core";
import { toGatewayError } from "./postgres-error.ts";

/** What the parts of one store share. */
export interface PartOptions {
  /** Resolves once the schema is what this version wants. */
  readonly ready: () => Promise<void>;
  /** Called once, by the first `close`. */
  readonly onClose: () => Promise<void>;
}

/** One part of a store as its callers see it: closed once, its errors translated, its waits ended by a signal. */
export class Calls {
  readonly #part: string;
  readonly #options: PartOptions;
  #closing: Promise<void> | undefined;

  constructor(part: string, options: PartOptions) {
    this.#part = part;
    this.#options = options;
  }

  get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  requireOpen(): void {
    if (this.isClosed) throw new GatewayError("CLOSED", `the PostgreSQL ${this.#part} is closed`);
  }

  /** The wait ends with the signal; what was begun goes on. */
  async run<T>(work: () => Promise<T>, options?: OperationOptions): Promise<T> {
    this.requireOpen();
    const signal = options?.signal;
    signal?.throwIfAborted();
    const done = this.#options.ready().then(work);
    try {
      if (signal === undefined) return await done;
      return await new Promise<T>((resolve, reject) => {
        const onAbort = (): void => reject(signal.reason);
        signal.addEventListener("abort", onAbort, { once: true });
        done.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
      });
    } catch (error) {
      if (signal?.aborted === true && error === signal.reason) throw error;
      throw toGatewayError(error);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#options.onClose();
    return this.#closing;
  }
}
