import { GatewayError, type OperationOptions } from "@modelgate/core";
import { toGatewayError, unavailable } from "./rabbitmq-error.ts";

/** What a call may ask about itself. */
export interface Call {
  /** Nobody waits for it any more. */
  readonly isOver: boolean;
}

export interface CallsOptions {
  readonly part: string;
  readonly timeoutMs: number;
  /** A call had no answer in time. */
  readonly onSilence: () => void;
  /** Called once, by the first `close`. */
  readonly onClose: () => Promise<void>;
}

/** One part of a broker as its callers see it: closed once, bounded in time, its errors translated. */
export class Calls {
  readonly #options: CallsOptions;
  #closing: Promise<void> | undefined;

  constructor(options: CallsOptions) {
    this.#options = options;
  }

  get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  requireOpen(): void {
    if (this.isClosed) throw new GatewayError("CLOSED", `the RabbitMQ ${this.#options.part} is closed`);
  }

  /** The wait ends with the signal and with the time limit; what was begun goes on. */
  async run<T>(work: (call: Call) => Promise<T>, options?: OperationOptions): Promise<T> {
    this.requireOpen();
    const signal = options?.signal;
    signal?.throwIfAborted();
    const call = { isOver: false };
    const { timeoutMs, onSilence } = this.#options;
    return await new Promise<T>((resolve, reject) => {
      const finish = (settle: () => void): void => {
        if (call.isOver) return;
        call.isOver = true;
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        settle();
      };
      const onAbort = (): void => finish(() => reject(signal?.reason));
      const timer = setTimeout(() => {
        finish(() =>
          reject(unavailable(`RabbitMQ did not answer within ${timeoutMs} ms`, "operationTimeoutMs")),
        );
        onSilence();
      }, timeoutMs);
      signal?.addEventListener("abort", onAbort, { once: true });
      work(call).then(
        (value) => finish(() => resolve(value)),
        (error: unknown) => finish(() => reject(toGatewayError(error))),
      );
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#options.onClose();
    return this.#closing;
  }
}
