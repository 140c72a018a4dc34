import type { OperationOptions } from "./contracts/common.ts";
import { GatewayError } from "./errors.ts";

type Method<A extends unknown[], R> = (...args: A) => Promise<R>;

/** The life cycle that the parts of this package share: open until closed, and an abort wins over the work. */
export interface Openness {
  readonly isClosed: boolean;
  /** Adds the checks that every contract method makes first. The last argument may carry a `signal`. */
  wrap<A extends unknown[], R>(method: Method<A, R>): Method<A, R>;
  close(): Promise<void>;
}

export function openness(name: string, release: () => void = () => {}): Openness {
  let isClosed = false;
  return {
    get isClosed() {
      return isClosed;
    },
    wrap:
      (method) =>
      async (...args) => {
        if (isClosed) throw new GatewayError("CLOSED", `the ${name} is closed`);
        signalOf(args.at(-1))?.throwIfAborted();
        return await method(...args);
      },
    async close() {
      if (isClosed) return;
      isClosed = true;
      release();
    },
  };
}

function signalOf(value: unknown): AbortSignal | undefined {
  const signal = typeof value === "object" && value !== null ? (value as OperationOptions).signal : undefined;
  return signal instanceof AbortSignal ? signal : undefined;
}
