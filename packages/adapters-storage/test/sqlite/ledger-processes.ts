import { type ChildProcess, fork } from "node:child_process";
import { GatewayError, type Ledger, type OperationOptions } from "@modelgate/core";
import { childFile } from "./child-processes.ts";
import { type ChildReply, fromWire } from "./ledger-messages.ts";

/** A ledger whose calls another process makes. */
export interface RemoteLedger extends Ledger {
  readonly process: ChildProcess;
  /** Closes the store that is behind it. */
  end(): Promise<void>;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** One process, which may have any number of stores open. */
class LedgerProcess {
  readonly process: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #lastCall = 0;

  constructor(file: string) {
    this.process = fork(file, { serialization: "advanced", execArgv: [] });
    this.process.on("message", (reply: ChildReply) => {
      const waiting = this.#waiting.get(reply.n);
      this.#waiting.delete(reply.n);
      if (reply.error === undefined) waiting?.resolve(fromWire(reply.value));
      else waiting?.reject(fromWire(reply.error));
    });
    this.process.on("exit", () => {
      for (const { reject } of this.#waiting.values())
        reject(new GatewayError("STORE_UNAVAILABLE", "the process has ended"));
    });
  }

  call(client: number, method: string, args: readonly unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#lastCall += 1;
      this.#waiting.set(this.#lastCall, { resolve, reject });
      this.process.send({ n: this.#lastCall, client, method, args });
    });
  }
}

const MOST_PROCESSES = 3;

/** A few processes that are used in turn, since starting one takes longer than a test. */
export class LedgerProcesses {
  readonly #processes: LedgerProcess[] = [];
  #opened = 0;

  async open(directory: string): Promise<RemoteLedger> {
    const client = this.#opened;
    this.#opened += 1;
    const at = client % MOST_PROCESSES;
    const child = this.#processes[at] ?? new LedgerProcess(await childFile("ledger-child"));
    this.#processes[at] = child;
    await child.call(client, "open", [directory]);
    const call = async (
      method: string,
      args: readonly unknown[],
      { signal, ...options }: OperationOptions = {},
    ): Promise<never> => {
      signal?.throwIfAborted();
      return (await child.call(client, method, [...args, options])) as never;
    };
    return {
      capabilities: { shared: true, durable: true, order: "exact", inOrder: true },
      submit: (batch, options) => call("submit", [batch], options),
      exchange: (request, options) => call("exchange", [request], options),
      get: (ids, options) => call("get", [ids], options),
      list: (request, options) => call("list", [request], options),
      amend: (batch, options) => call("amend", [batch], options),
      sweep: (request, options) => call("sweep", [request], options),
      stats: (options) => call("stats", [], options),
      close: () => call("close", []),
      end: () => call("end", []),
      process: child.process,
    };
  }

  stop(): void {
    for (const { process } of this.#processes.splice(0)) process.kill("SIGKILL");
  }
}
